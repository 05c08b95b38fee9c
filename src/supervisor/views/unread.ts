import { describeError, type TsdError, toTsdError } from '../../model/errors/errors.ts';
import type { Condition } from '../../model/status/phases.ts';
import type { Reading } from '../../reconcile/observe.ts';

/** For read-only callers: shows the last known value, with a note, for what a failing disk does not return. */
export class Unread {
  #first: TsdError | null = null;

  readonly reading: Reading = (read, otherwise) => {
    try {
      return read();
    } catch (thrown) {
      const error = toTsdError(thrown);
      if (error.code === 'TSD_BUG') throw error;
      this.#first ??= error;
      return otherwise;
    }
  };

  /** For everything that is shown meanwhile. */
  conditions(): readonly Condition[] {
    if (this.#first === null) return [];
    const message = `the disk fails: ${describeError(this.#first)}; what is shown is what the supervisor remembers`;
    return [{ type: 'DiskFailing', status: true, reason: 'StateUnreadable', message }];
  }
}
