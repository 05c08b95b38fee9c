import type { Database, Statement } from 'better-sqlite3';
import { prepareStatement } from '../databases/database.ts';
import { JoinedTransactions } from '../databases/joined-transactions.ts';

/**
 * One connection with two grades of commit. Plain statements survive a killed supervisor; what runs in {@link durable}
 * is on the disk when it returns, with everything committed before it. Both throw a TsdError that names the file where the
 * disk or the file fails.
 */
export class HistoryDatabase {
  readonly #database: Database;
  /** By text; all texts are constants of the stores. */
  readonly #statements = new Map<string, Statement>();
  readonly #transactions: JoinedTransactions;
  /** What takes back in memory what the transactions that continue have changed. */
  #undo: (() => void)[] = [];

  constructor(database: Database) {
    this.#database = database;
    this.#transactions = new JoinedTransactions(database);
  }

  /** Compiles a statement the first time it is asked for. */
  prepare<Parameters extends unknown[], Row>(sql: string): Statement<Parameters, Row> {
    const known = this.#statements.get(sql) ?? prepareStatement(this.#database, sql);
    this.#statements.set(sql, known);
    // The store that owns a statement knows its parameters and rows; a statement has one such form.
    return known as unknown as Statement<Parameters, Row>;
  }

  /** One transaction and one fsync, all or nothing; one inside another joins it as a whole. */
  durable<T>(changes: () => T): T {
    const { length } = this.#undo;
    try {
      const result = this.#transact(changes);
      if (!this.#database.inTransaction) this.#undo = [];
      return result;
    } catch (error) {
      for (const undo of this.#undo.splice(length).reverse()) undo();
      throw error;
    }
  }

  /** Inside {@link durable}: called when the changes are rolled back, also when the commit fails. */
  onTakenBack(undo: () => void): void {
    this.#undo.push(undo);
  }

  close(): void {
    this.#database.close();
  }

  #transact<T>(changes: () => T): T {
    if (this.#database.inTransaction) return this.#transactions.run('immediate', changes);
    this.#database.pragma('synchronous = FULL');
    try {
      return this.#transactions.run('immediate', changes);
    } finally {
      this.#database.pragma('synchronous = NORMAL');
    }
  }
}
