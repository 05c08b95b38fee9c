import type { Statement } from 'better-sqlite3';
import type { ResourceKey } from '../../model/resource.ts';
import type { HistoryDatabase } from './history-database.ts';

/** What a generation holds fixed whatever its sources say (DESIGN §13.4, §13.6). */
export interface GenerationPins {
  /** Apps held at the spec they had in an earlier generation, because their update failed. */
  readonly apps: Readonly<Record<string, { readonly generation: number; readonly reason: string }>>;
  /** Image ids resolved at apply, by image key. */
  readonly images: Readonly<Record<ResourceKey, string>>;
  /** Hashes of the files that each source referred to when it was accepted, by source and path as written. */
  readonly content: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface Generation {
  readonly n: number;
  readonly createdAtMs: number;
  /** In words: `edited blog.yaml`. */
  readonly cause: string;
  readonly pins: GenerationPins;
}

interface Row {
  readonly n: number;
  readonly createdAtMs: number;
  readonly cause: string;
  readonly pins: string;
}

const SELECT = 'SELECT n, created_at AS createdAtMs, cause, pins FROM generations';

const fromRow = (row: Row): Generation => ({ ...row, pins: JSON.parse(row.pins) as GenerationPins });

/** The desired states there have been. The newest is the current one: a rollback is a new generation with old sources. */
export class GenerationStore {
  readonly #history: HistoryDatabase;
  readonly #newest: Statement<[number], Row>;

  constructor(history: HistoryDatabase) {
    this.#history = history;
    this.#newest = history.prepare(`${SELECT} ORDER BY n DESC LIMIT ?`);
  }

  /** Saves a new current generation, durably. @param sources ids of source revisions. Numbers are never used twice. */
  append(generation: Omit<Generation, 'n'>, sources: readonly number[]): Generation {
    const { cause, pins } = generation;
    const createdAtMs = Math.round(generation.createdAtMs);
    return this.#history.durable(() => {
      const { lastInsertRowid } = this.#history
        .prepare('INSERT INTO generations (created_at, cause, pins) VALUES (?, ?, ?)')
        .run(createdAtMs, cause, JSON.stringify(pins));
      const n = Number(lastInsertRowid);
      const link = this.#history.prepare('INSERT INTO generation_sources (n, source_revision) VALUES (?, ?)');
      for (const id of sources) link.run(n, id);
      return { n, createdAtMs, cause, pins };
    });
  }

  /** Null before the first. */
  current(): Generation | null {
    return this.list(1)[0] ?? null;
  }

  get(n: number): Generation | null {
    const row = this.#history.prepare<[number], Row>(`${SELECT} WHERE n = ?`).get(n);
    return row === undefined ? null : fromRow(row);
  }

  /** Newest first. */
  list(limit: number): readonly Generation[] {
    return this.#newest.all(limit).map(fromRow);
  }
}
