import type { Database, Statement } from 'better-sqlite3';

/**
 * One connection with two grades of commit. Plain statements survive a killed supervisor; what runs in {@link durable}
 * is on the disk when it returns, with everything committed before it.
 */
export class HistoryDatabase {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
    // With a write-ahead log NORMAL syncs at checkpoints only.
    database.pragma('synchronous = NORMAL');
  }

  prepare<Parameters extends unknown[], Row>(sql: string): Statement<Parameters, Row> {
    return this.#database.prepare<Parameters, Row>(sql);
  }

  /** One transaction and one fsync, all or nothing; calls inside it join it. */
  durable<T>(changes: () => T): T {
    if (this.#database.inTransaction) return changes();
    this.#database.pragma('synchronous = FULL');
    try {
      return this.#database.transaction(changes).immediate();
    } finally {
      this.#database.pragma('synchronous = NORMAL');
    }
  }

  close(): void {
    this.#database.close();
  }
}
