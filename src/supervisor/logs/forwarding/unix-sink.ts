import { setTimeout as delay } from 'node:timers/promises';
import type { LogEntry } from '../../../api/requests.ts';
import { UnixDatagrams } from '../../../ffi/sockets/datagrams.ts';
import type { LogOrigin, LogSink } from './sink.ts';

/** Delay before the next try while the queue of the receiver is full. */
const RETRY_MS = 5;

/** Datagrams to a unix socket, each made of one entry. */
export class UnixSink implements LogSink {
  readonly #socket: UnixDatagrams;
  readonly #format: (entry: LogEntry, origin: LogOrigin) => Buffer;
  #closed = false;

  constructor(path: string, format: (entry: LogEntry, origin: LogOrigin) => Buffer) {
    this.#socket = new UnixDatagrams(path);
    this.#format = format;
  }

  async send(entry: LogEntry, origin: LogOrigin): Promise<void> {
    const bytes = this.#format(entry, origin);
    while (!this.#closed && !this.#socket.send(bytes)) await delay(RETRY_MS);
  }

  close(): void {
    this.#closed = true;
    this.#socket.close();
  }
}
