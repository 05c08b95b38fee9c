/** An HTTP proxy in front of a registry that counts the bytes of blobs, and stops after as many as a test lets through. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export class GatedProxy {
  /** `Range` of every request for a blob, by digest; empty where the whole was asked for. */
  readonly asked: { readonly digest: string; readonly range: string }[] = [];
  /** Bytes of blobs that were sent, by digest. */
  readonly sent = new Map<string, number>();
  readonly #target: string;
  readonly #server = createServer((question, answer) => this.#forward(question, answer));
  #left = Number.POSITIVE_INFINITY;
  #opened: Promise<void> = Promise.resolve();
  #open = (): void => {};

  /** @param target `127.0.0.1:port`. */
  constructor(target: string) {
    this.#target = target;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async start(): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    return this;
  }

  async stop(): Promise<void> {
    this.open();
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  /** Lets so many bytes of blobs through from now on. */
  closeAfter(bytes: number): void {
    this.#left = bytes;
    this.#opened = new Promise((open) => {
      this.#open = open;
    });
  }

  open(): void {
    this.#left = Number.POSITIVE_INFINITY;
    this.#open();
  }

  #forward(question: IncomingMessage, answer: ServerResponse): void {
    const { method, url = '', headers } = question;
    const digest = /\/blobs\/(sha256:[0-9a-f]+)$/.exec(url)?.[1];
    if (digest !== undefined) this.asked.push({ digest, range: headers.range ?? '' });
    const [host, port] = this.#target.split(':');
    const onward = request({ host, port, method, path: url, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      void this.#send(response, answer, digest).catch(() => answer.destroy());
    });
    onward.on('error', () => answer.destroy());
    answer.on('close', () => onward.destroy());
    question.pipe(onward);
  }

  async #send(from: IncomingMessage, to: ServerResponse, digest: string | undefined): Promise<void> {
    const gate = new Transform({
      transform: (piece: Buffer, _encoding, done) => {
        const opened = digest !== undefined && this.#left < piece.length ? this.#opened : Promise.resolve();
        void opened.then(() => {
          if (digest !== undefined) {
            this.#left -= piece.length;
            this.sent.set(digest, (this.sent.get(digest) ?? 0) + piece.length);
          }
          done(null, piece);
        });
      },
    });
    await pipeline(from, gate, to);
  }
}
