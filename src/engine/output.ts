import { TsdError } from '../model/errors/errors.ts';

export type Chunk = string | Uint8Array;
/** Receives the output of a job. A returned promise blocks the writer until it resolves; a rejection fails the write. */
export type Sink = (chunk: Chunk) => void | Promise<void>;

/** Maximum buffered for a slow reader when the writer does not wait for its writes. */
const MOST_WAITING_BYTES = 1024 ** 2;
/** Maximum length of the last line kept. */
const TAIL_CHARACTERS = 4096;

const TAKEN: Promise<void> = Promise.resolve();

function bytesOf(chunk: Chunk): number {
  return typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.length;
}

/** Returns a rejected promise that is no unhandled rejection when the writer does not wait for it. */
function refused(error: unknown): Promise<void> {
  const refusal = Promise.reject(error);
  refusal.catch(() => {});
  return refusal;
}

export interface OutputOptions {
  /** Called for a write after the end. */
  readonly onLate: () => void;
  /** Keeps the last line, for {@link Output.lastLine}. */
  readonly remembers?: boolean;
}

/** An output stream of a job: any number of readers, at the speed of the slowest. Nothing is kept for late readers. */
export class Output {
  readonly #options: OutputOptions;
  readonly #sinks: Sink[] = [];
  /** From the start of the last line that has content. */
  #tail = '';
  /** Set once writing has ended: the error of later writes. */
  #closed: TsdError | null = null;
  /** The latest write that a reader has not taken yet. */
  #pending: Promise<void> | null = null;
  #waitingBytes = 0;
  /** Abandons the current write. */
  #abandon: (error: TsdError) => void = () => {};

  constructor(options: OutputOptions) {
    this.#options = options;
  }

  /** Adds a reader: `sink` receives all later output. */
  add(sink: Sink): void {
    this.#sinks.push(sink);
  }

  /**
   * Passes the chunk to every sink and resolves when all have taken it. Writes keep their order even when the writer does
   * not wait. Never throws: the promise rejects with the first failure of a sink, after the end of the job, when the job is
   * cancelled before a slow reader took the chunk, and when a writer that does not wait is too far ahead.
   */
  write(chunk: Chunk): Promise<void> {
    if (this.#closed !== null) {
      this.#options.onLate();
      return refused(this.#closed);
    }
    if (this.#options.remembers === true) this.#remember(chunk);
    if (this.#pending === null) return this.#begin(chunk);
    const bytes = bytesOf(chunk);
    if (this.#waitingBytes + bytes > MOST_WAITING_BYTES) {
      return refused(new TsdError('TSD_BUG', 'a job writes on and does not wait for its reader'));
    }
    this.#waitingBytes += bytes;
    const before = this.#pending.catch(() => {});
    return this.#keep(
      before.then(() => {
        this.#waitingBytes -= bytes;
        if (this.#closed !== null) throw this.#closed;
        return this.#hand(chunk) ?? undefined;
      }),
    );
  }

  /** The last line with content; empty when nothing was written. */
  get lastLine(): string {
    return this.#tail.trim();
  }

  /** True while a reader has not taken all output. */
  get isBehind(): boolean {
    return this.#pending !== null;
  }

  /** Refuses further writes with `error`. Returns null when readers have taken everything, else a promise for that. */
  end(error: TsdError): Promise<void> | null {
    const pending = this.#pending;
    if (pending === null) {
      this.cut(error);
      return null;
    }
    return pending.then(
      () => this.end(error) ?? undefined,
      () => this.end(error) ?? undefined,
    );
  }

  /** Refuses further writes and abandons those that readers have not taken. */
  cut(error: TsdError): void {
    this.#closed ??= error;
    this.#sinks.length = 0;
    this.#abandon(error);
  }

  #begin(chunk: Chunk): Promise<void> {
    try {
      const taking = this.#hand(chunk);
      return taking === null ? TAKEN : this.#keep(taking);
    } catch (failure) {
      return refused(failure);
    }
  }

  /** Returns null when all readers took it synchronously. @throws the first failure among these */
  #hand(chunk: Chunk): Promise<void> | null {
    const failures: unknown[] = [];
    const taking: Promise<void>[] = [];
    for (const sink of this.#sinks) {
      try {
        const taken = sink(chunk);
        if (taken !== undefined) taking.push(taken);
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (taking.length > 0) return this.#allTaken(taking, failures);
    if (failures.length > 0) throw failures[0];
    return null;
  }

  #allTaken(taking: readonly Promise<void>[], failures: unknown[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#abandon = reject;
      void Promise.allSettled(taking).then((results) => {
        for (const result of results) if (result.status === 'rejected') failures.push(result.reason);
        if (failures.length === 0) resolve();
        else reject(failures[0]);
      });
    });
  }

  /** Later writes wait for this one. */
  #keep(write: Promise<void>): Promise<void> {
    this.#pending = write;
    const settled = (): void => {
      if (this.#pending === write) this.#pending = null;
    };
    write.then(settled, settled);
    return write;
  }

  #remember(chunk: Chunk): void {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    const all = (this.#tail + text).slice(-TAIL_CHARACTERS);
    this.#tail = all.slice(all.trimEnd().lastIndexOf('\n') + 1);
  }
}
