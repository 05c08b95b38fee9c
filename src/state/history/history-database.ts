import type { Database, Statement } from 'better-sqlite3';
import { toWriteError } from '../database.ts';

/**
 * One connection with two grades of commit. Plain statements survive a killed supervisor; what runs in {@link durable}
 * is on the disk when it returns, with everything committed before it. What changes something throws TSD_DISK_FULL where
 * there is no room.
 */
export class HistoryDatabase {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    // With a write-ahead log NORMAL syncs at checkpoints only.
    database.pragma('synchronous = NORMAL');
  }

  prepare<Parameters extends unknown[], Row>(sql: string): Statement<Parameters, Row> {
    const statement = this.#database.prepare<Parameters, Row>(sql);
    const run = statement.run.bind(statement);
    statement.run = (...parameters) => this.#writing(() => run(...parameters));
    return statement;
  }

  /** One transaction and one fsync, all or nothing; calls inside it join it. */
  durable<T>(changes: () => T): T {
    if (this.#database.inTransaction) return changes();
    this.#database.pragma('synchronous = FULL');
    try {
      return this.#writing(() => this.#database.transaction(changes).immediate());
    } finally {
      this.#database.pragma('synchronous = NORMAL');
    }
  }

  #writing<T>(write: () => T): T {
    try {
      return write();
    } catch (error) {
      throw toWriteError(this.#database.name, error);
    }
  }

  close(): void {
    this.#database.close();
  }
}
