import { containerOfVolume } from '../volumes/volume-record.ts';
import type { HistoryDatabase } from './history-database.ts';

/** What a person allowed with `tsdocker approve`: the key of a volume, or the origin of a source. Durable. */
export class ApprovalStore {
  readonly #history: HistoryDatabase;

  constructor(history: HistoryDatabase) {
    this.#history = history;
  }

  all(): ReadonlySet<string> {
    return new Set(this.#history.prepare<[], string>('SELECT subject FROM approvals').pluck().all());
  }

  grant(subject: string, nowMs: number): void {
    this.#history.durable(() =>
      this.#history.prepare('INSERT OR REPLACE INTO approvals VALUES (?, ?)').run(subject, Math.round(nowMs)),
    );
  }

  /**
   * Voids what was approved of resources that are declared, and of the anonymous volumes of containers that are: it was
   * the deletion of what nothing declared.
   */
  withdrawDeclared(declared: { has(subject: string): boolean }): void {
    const voided = [...this.all()].filter((subject) => declared.has(containerOfVolume(subject) ?? subject));
    if (voided.length === 0) return;
    this.#history.durable(() => {
      for (const subject of voided) this.withdraw(subject);
    });
  }

  /** Uses an approval up. An unknown one is a no-op. */
  withdraw(subject: string): void {
    this.#history.durable(() => this.#history.prepare('DELETE FROM approvals WHERE subject = ?').run(subject));
  }
}
