import type { Database, Statement, Transaction } from 'better-sqlite3';
import { toWriteError } from '../database.ts';

/**
 * One connection with two grades of commit. Plain statements survive a killed supervisor; what runs in {@link durable}
 * is on the disk when it returns, with everything committed before it. What changes something throws TSD_DISK_FULL where
 * there is no room.
 */
export class HistoryDatabase {
  readonly #database: Database;
  /** By text; all texts are constants of the stores. */
  readonly #statements = new Map<string, Statement>();
  readonly #transaction: Transaction<(changes: () => unknown) => unknown>;

  constructor(database: Database) {
    this.#database = database;
    this.#transaction = database.transaction((changes) => changes());
    // With a write-ahead log NORMAL syncs at checkpoints only.
    database.pragma('synchronous = NORMAL');
  }

  /** Compiles a statement the first time it is asked for. */
  prepare<Parameters extends unknown[], Row>(sql: string): Statement<Parameters, Row> {
    const known = this.#statements.get(sql) ?? this.#compile(sql);
    this.#statements.set(sql, known);
    // What a text takes and gives is known to the store that has it; one text has one such form.
    return known as unknown as Statement<Parameters, Row>;
  }

  /** One transaction and one fsync, all or nothing; one inside another joins it as a whole. */
  durable<T>(changes: () => T): T {
    if (this.#database.inTransaction) return this.#transaction(changes) as T;
    this.#database.pragma('synchronous = FULL');
    try {
      return this.#writing(() => this.#transaction.immediate(changes) as T);
    } finally {
      this.#database.pragma('synchronous = NORMAL');
    }
  }

  #compile(sql: string): Statement {
    const statement = this.#database.prepare(sql);
    const run = statement.run.bind(statement);
    statement.run = (...parameters) => this.#writing(() => run(...parameters));
    return statement;
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
