/** Forwards one container's log from its file, entry by entry, behind a cursor that survives the supervisor. */
import { setTimeout as delay } from 'node:timers/promises';
import type { LogEntry } from '../../../api/requests.ts';
import { describeError, TsdError, toTsdError } from '../../../model/errors/errors.ts';
import { LogTail } from '../log-tail.ts';
import { ChangeSignal } from '../read-log.ts';
import { CursorFile } from './cursor-file.ts';
import type { LogOrigin, LogSink } from './sink.ts';

export interface ForwarderOptions {
  readonly logPath: string;
  readonly cursorPath: string;
  readonly origin: LogOrigin;
  readonly sink: LogSink;
  /** Called once per outage, and with null when entries are sent again. */
  readonly onProblem: (message: string | null) => void;
}

const FIRST_RETRY_MS = 250;
const LONGEST_RETRY_MS = 10_000;
const LOST = '[tsdocker: output was rotated away before it could be forwarded]\n';

export class LogForwarder {
  readonly #options: ForwarderOptions;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  #troubled = false;

  constructor(options: ForwarderOptions) {
    this.#options = options;
    this.#done = this.#keepRunning();
  }

  /** Ends after the current entry; the next forwarder continues after it. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#done;
  }

  /** An obstacle, such as a full disk under the cursor, may be gone at the next try. */
  async #keepRunning(): Promise<void> {
    const { signal } = this.#stop;
    for (let wait = FIRST_RETRY_MS; !signal.aborted; wait = Math.min(2 * wait, LONGEST_RETRY_MS)) {
      try {
        await this.#run();
      } catch (thrown) {
        this.#trouble(toTsdError(thrown));
        await delay(wait, undefined, { signal }).catch(() => undefined);
      }
    }
    this.#options.sink.close();
  }

  #trouble(error: TsdError): void {
    if (!this.#troubled) this.#options.onProblem(describeError(error));
    this.#troubled = true;
  }

  async #run(): Promise<void> {
    const { logPath, cursorPath } = this.#options;
    const { signal } = this.#stop;
    const cursor = new CursorFile(cursorPath);
    const changes = new ChangeSignal(logPath, signal);
    const tail = new LogTail(logPath);
    try {
      if (cursor.position) await tail.fromPosition(cursor.position);
      else await tail.fromOldest();
      while (!signal.aborted) {
        if (!(await this.#forward(tail, cursor))) await changes.next();
      }
    } finally {
      changes.close();
      cursor.close();
      await tail.close();
    }
  }

  #gaps = 0;

  /** Sends what there is of one read; false when there was nothing. */
  async #forward(tail: LogTail, cursor: CursorFile): Promise<boolean> {
    const entries = await tail.next();
    if (entries === null) return false;
    const [first] = entries;
    if (tail.gaps > this.#gaps && first) {
      this.#gaps = tail.gaps;
      await this.#send({ log: LOST, stream: 'stderr', time: first.time });
    }
    for (const entry of entries) {
      if (!(await this.#send(entry))) return true;
      cursor.write({ inode: tail.inode, offset: entry.end, mark: entry.mark });
    }
    return true;
  }

  /** False when ended before; a receiver that is behind must not keep anybody waiting then. */
  #unlessEnded(work: Promise<void>): Promise<boolean> {
    const { signal } = this.#stop;
    return new Promise((resolve, reject) => {
      const end = (): void => resolve(false);
      signal.addEventListener('abort', end, { once: true });
      work.then(() => resolve(true), reject).finally(() => signal.removeEventListener('abort', end));
    });
  }

  /** Tries until the receiver has it; false when ended before. */
  async #send(entry: LogEntry): Promise<boolean> {
    const { sink, origin, onProblem } = this.#options;
    const { signal } = this.#stop;
    for (let wait = FIRST_RETRY_MS; !signal.aborted; wait = Math.min(2 * wait, LONGEST_RETRY_MS)) {
      try {
        if (!(await this.#unlessEnded(sink.send(entry, origin)))) return false;
        if (this.#troubled) onProblem(null);
        this.#troubled = false;
        return true;
      } catch (thrown) {
        if (!(thrown instanceof TsdError)) throw thrown;
        this.#trouble(thrown);
        await delay(wait, undefined, { signal }).catch(() => undefined);
      }
    }
    return false;
  }
}
