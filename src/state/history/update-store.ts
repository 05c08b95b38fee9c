import type { Statement } from 'better-sqlite3';
import type { ResourceKey } from '../../model/resource.ts';
import type { ObservedUpdate } from '../../model/update.ts';
import type { HistoryDatabase } from './history-database.ts';

/** An update as it is kept; its times are those of boot `bootId`. */
export interface UpdateRecord extends Omit<ObservedUpdate, 'timeFromBootMs'> {
  readonly bootId: string;
}

/** Updates that continue or have failed, one a container. Durable. */
export class UpdateStore {
  readonly #history: HistoryDatabase;
  readonly #all: Statement<[], { key: string; record: string }>;

  constructor(history: HistoryDatabase) {
    this.#history = history;
    this.#all = history.prepare('SELECT key, record FROM updates');
  }

  all(): readonly UpdateRecord[] {
    return this.#all.all().map(({ record }) => JSON.parse(record) as UpdateRecord);
  }

  set(record: UpdateRecord): void {
    this.#history.durable(() =>
      this.#history.prepare('INSERT OR REPLACE INTO updates VALUES (?, ?)').run(record.key, JSON.stringify(record)),
    );
  }

  clear(key: ResourceKey): void {
    this.#history.durable(() => this.#history.prepare('DELETE FROM updates WHERE key = ?').run(key));
  }
}
