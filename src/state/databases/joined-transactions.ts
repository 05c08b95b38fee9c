import type { Database } from 'better-sqlite3';
import { withDatabaseErrors } from './database.ts';

/**
 * Transactions of one connection: one inside another joins it as a whole and is taken back alone when it throws.
 *
 * SQLite takes a whole transaction back by itself when the disk is full or fails (sqlite.org/lang_transaction.html,
 * "Response To Errors Within A Transaction"). What follows inside of it would then be kept at once, and by itself: it is
 * refused instead, with the error that ended the transaction.
 */
export class JoinedTransactions {
  readonly #database: Database;
  #depth = 0;
  /** What ended the transaction that continues. */
  #ended: { readonly error: unknown } | null = null;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @throws what `changes` throws; TsdError that names the file where the disk or the file fails. */
  run<T>(mode: 'immediate' | 'exclusive', changes: () => T): T {
    this.#refuseWhenEnded();
    this.#depth += 1;
    try {
      return this.#depth === 1
        ? withDatabaseErrors(this.#database, 'write', () => this.#begin(mode, changes))
        : this.#database.transaction(changes)();
    } catch (error) {
      if (this.#depth > 1 && !this.#database.inTransaction) this.#ended ??= { error };
      throw error;
    } finally {
      this.#depth -= 1;
      if (this.#depth === 0) this.#ended = null;
    }
  }

  #begin<T>(mode: 'immediate' | 'exclusive', changes: () => T): T {
    const whole = this.#database.transaction(() => {
      const result = changes();
      this.#refuseWhenEnded();
      return result;
    });
    return whole[mode]();
  }

  #refuseWhenEnded(): void {
    if (this.#ended !== null) throw this.#ended.error;
  }
}
