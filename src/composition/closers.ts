/** Closes the parts of a supervisor: the last that was opened first. */
import { type TsdError, toTsdError } from '../model/errors/errors.ts';

type Close = () => void | Promise<void>;

export interface FailedClose {
  readonly name: string;
  readonly error: TsdError;
}

export class Closers {
  readonly #parts: { readonly name: string; readonly close: Close }[] = [];

  /** @returns closes this part now, before its turn; does nothing when it was closed already. */
  add(name: string, close: Close): Close {
    const part = { name, close };
    this.#parts.push(part);
    return () => {
      const index = this.#parts.indexOf(part);
      if (index === -1) return;
      this.#parts.splice(index, 1);
      return close();
    };
  }

  /** Closes all parts that are open, each once. One that fails does not keep the others open. @returns those that failed */
  async close(): Promise<readonly FailedClose[]> {
    const failed: FailedClose[] = [];
    for (let part = this.#parts.pop(); part !== undefined; part = this.#parts.pop()) {
      try {
        const closing = part.close();
        // Parts that close at once are closed in one turn of the loop: no callback runs between a driver and its database.
        if (closing !== undefined) await closing;
      } catch (thrown) {
        failed.push({ name: part.name, error: toTsdError(thrown) });
      }
    }
    return failed;
  }
}
