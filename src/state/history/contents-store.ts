import type { Contents } from '../../model/contents.ts';
import type { HistoryDatabase } from './history-database.ts';

/** What the files of each generation held, as long as that is kept; a generation without it is a specification only. */
export class ContentsStore {
  readonly #history: HistoryDatabase;

  constructor(history: HistoryDatabase) {
    this.#history = history;
  }

  /** Null where it is not kept. */
  of(generation: number): Contents | null {
    const row = this.#history
      .prepare<[number], { contents: string }>('SELECT contents FROM generation_contents WHERE n = ?')
      .get(generation);
    return row === undefined ? null : (JSON.parse(row.contents) as Contents);
  }

  /** Generations of which it is kept, newest first. */
  kept(): readonly number[] {
    return this.#history.prepare<[], number>('SELECT n FROM generation_contents ORDER BY n DESC').pluck().all();
  }

  set(generation: number, contents: Contents): void {
    this.#history.durable(() => {
      this.#history
        .prepare('INSERT OR REPLACE INTO generation_contents VALUES (?, ?)')
        .run(generation, JSON.stringify(contents));
    });
  }

  /** Makes generations specifications only. */
  drop(generations: readonly number[]): void {
    if (generations.length === 0) return;
    this.#history.durable(() => {
      const drop = this.#history.prepare('DELETE FROM generation_contents WHERE n = ?');
      for (const n of generations) drop.run(n);
    });
  }
}
