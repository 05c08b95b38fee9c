import { TsdError } from '../model/errors/errors.ts';

/** Most that {@link Input.text} reads. */
const MAX_TEXT_BYTES = 16 * 1024 ** 2;

/** The stdin of a job: one source, read in chunks on demand. Without a source it is empty. */
export class Input implements AsyncIterable<Uint8Array> {
  #source: AsyncIterator<Uint8Array> | null = null;
  /** Set once reading has ended for good: the error of later reads. */
  #closed: TsdError | null = null;
  #abandon: (error: TsdError) => void = () => {};

  /** @throws TsdError TSD_BUG for a second source */
  attach(source: AsyncIterable<Uint8Array>): void {
    if (this.#source !== null) throw new TsdError('TSD_BUG', 'Maximum number of sources reached: 1');
    this.#source = source[Symbol.asyncIterator]();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return {
      next: () => this.#next(),
      return: async () => {
        this.#letGo();
        return { done: true, value: undefined };
      },
    };
  }

  /** Reads to the end and returns the text. @throws TsdError TSD_BAD_REQUEST for more than `maxBytes` */
  async text(maxBytes = MAX_TEXT_BYTES): Promise<string> {
    const chunks: Uint8Array[] = [];
    let bytes = 0;
    for await (const chunk of this) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw new TsdError('TSD_BAD_REQUEST', `the input is longer than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString('utf8');
  }

  /** Releases the source. Current and later reads fail with `error`. */
  close(error: TsdError): void {
    this.#closed ??= error;
    this.#abandon(error);
    this.#letGo();
  }

  #next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    const source = this.#source;
    if (source === null) return Promise.resolve({ done: true, value: undefined });
    // A source that gives nothing must not keep a job that was cancelled.
    return new Promise((resolve, reject) => {
      this.#abandon = reject;
      source.next().then(resolve, reject);
    });
  }

  #letGo(): void {
    const source = this.#source;
    this.#source = null;
    source?.return?.().catch(() => {});
  }
}
