import type { Statement } from 'better-sqlite3';
import type { HealthRecord } from '../../model/health.ts';
import type { HistoryDatabase } from './history-database.ts';

/** What was known of the probes of each container's run. */
export class HealthStore {
  readonly #all: Statement<[], { containerId: string; record: string }>;
  readonly #set: Statement<[string, string], unknown>;
  readonly #delete: Statement<[string], unknown>;

  constructor(history: HistoryDatabase) {
    this.#all = history.prepare('SELECT container_id AS containerId, record FROM health');
    this.#set = history.prepare('INSERT OR REPLACE INTO health VALUES (?, ?)');
    this.#delete = history.prepare('DELETE FROM health WHERE container_id = ?');
  }

  all(): readonly { readonly containerId: string; readonly record: HealthRecord }[] {
    return this.#all
      .all()
      .map(({ containerId, record }) => ({ containerId, record: JSON.parse(record) as HealthRecord }));
  }

  set(containerId: string, record: HealthRecord): void {
    this.#set.run(containerId, JSON.stringify(record));
  }

  delete(containerId: string): void {
    this.#delete.run(containerId);
  }
}
