import type { HeldApp } from '../databases/declaration.ts';
import type { HistoryDatabase } from './history-database.ts';

/** Apps whose declaration is not certain; nothing of them is touched until a person or a manifest says what holds. Durable. */
export class HoldStore {
  readonly #history: HistoryDatabase;

  constructor(history: HistoryDatabase) {
    this.#history = history;
  }

  /** By app. */
  all(): ReadonlyMap<string, HeldApp> {
    const rows = this.#history.prepare<[], string>('SELECT record FROM held_apps ORDER BY app').pluck().all();
    return new Map(rows.map((row) => JSON.parse(row) as HeldApp).map((held) => [held.app, held]));
  }

  add(held: HeldApp): void {
    this.#history.durable(() =>
      this.#history.prepare('INSERT OR REPLACE INTO held_apps VALUES (?, ?)').run(held.app, JSON.stringify(held)),
    );
  }

  /** Ends the hold of all others. */
  keep(apps: ReadonlySet<string>): void {
    const over = [...this.all().keys()].filter((app) => !apps.has(app));
    if (over.length === 0) return;
    this.#history.durable(() => {
      for (const app of over) this.#history.prepare('DELETE FROM held_apps WHERE app = ?').run(app);
    });
  }
}
