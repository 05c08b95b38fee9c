import type { Statement } from 'better-sqlite3';
import type { Actor } from '../../model/actor.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { HistoryDatabase } from './history-database.ts';
import type { SourceKind } from './source-store.ts';

/** An app that stays as it was in an earlier generation until one of its manifests is another one. */
export interface AppPin {
  readonly generation: number;
  readonly reason: string;
  /** An update failed; otherwise a person wanted it. */
  readonly failed?: boolean;
  /** The container whose update failed; those of earlier versions do not say. */
  readonly container?: ResourceKey;
  /** What to do about the op that failed. */
  readonly hint?: string | undefined;
  readonly sources: readonly {
    readonly kind: SourceKind;
    readonly origin: string;
    readonly baseDir: string;
    /** The text that is not taken over; null where there is no manifest now. */
    readonly heldBack: string | null;
    /** A hash over the contents of files that are not taken over; pins of the first versions are about texts only. */
    readonly heldContents?: string;
  }[];
}

/** What a generation holds fixed whatever its sources say. */
export interface GenerationPins {
  /** Apps that a person rolled back, or whose update failed. */
  readonly apps: Readonly<Record<string, AppPin>>;
  /** Image ids resolved at apply, by image key. */
  readonly images: Readonly<Record<ResourceKey, string>>;
  /** Hashes of the files that each source referred to when it was accepted, by source and path as written. */
  readonly content: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** The generation that each applied source got its files from; one that is not named follows its files. */
  readonly applied?: Readonly<Record<string, number>>;
  /** Which app each source declared; generations of the first versions do not say. */
  readonly owners?: Readonly<Record<string, string>>;
}

/** What a generation changed, beside the one before it. */
export interface GenerationChanges {
  readonly files: readonly {
    readonly file: string;
    /** `content`: the manifest is the same, a file that it refers to is not. */
    readonly change: 'added' | 'changed' | 'removed' | 'content';
  }[];
  readonly resources: readonly { readonly key: ResourceKey; readonly change: 'added' | 'changed' | 'removed' }[];
  /** Who made it. Left out or null, not known. */
  readonly by?: Actor | null;
}

export interface Generation {
  readonly n: number;
  readonly createdAtMs: number;
  /** In words: `edited blog.yaml`. */
  readonly cause: string;
  readonly pins: GenerationPins;
  readonly changes: GenerationChanges;
}

interface Row {
  readonly n: number;
  readonly createdAtMs: number;
  readonly cause: string;
  readonly pins: string;
  readonly changes: string;
}

const SELECT = 'SELECT n, created_at AS createdAtMs, cause, pins, changes FROM generations';

const fromRow = (row: Row): Generation => ({
  ...row,
  pins: JSON.parse(row.pins) as GenerationPins,
  changes: JSON.parse(row.changes) as GenerationChanges,
});

/** The desired states there have been. The newest is the current one: a rollback is a new generation with old sources. */
export class GenerationStore {
  readonly #history: HistoryDatabase;
  readonly #newest: Statement<[number], Row>;
  readonly #number: Statement<[], Pick<Row, 'n'>>;
  /** That of the current one; null before it was looked up. */
  #current: number | null = null;

  constructor(history: HistoryDatabase) {
    this.#history = history;
    this.#newest = history.prepare(`${SELECT} ORDER BY n DESC LIMIT ?`);
    this.#number = history.prepare('SELECT n FROM generations ORDER BY n DESC LIMIT 1');
  }

  /**
   * Saves a new current generation, durably. @param sources ids of source revisions. Numbers are never used twice.
   * @param number it gets, higher than all before; left out, the next one
   */
  append(generation: Omit<Generation, 'n'>, sources: readonly number[], number: number | null = null): Generation {
    const { cause, pins, changes } = generation;
    const createdAtMs = Math.round(generation.createdAtMs);
    return this.#history.durable(() => {
      const before = this.currentNumber();
      const { lastInsertRowid } = this.#history
        .prepare('INSERT INTO generations (n, created_at, cause, pins, changes) VALUES (?, ?, ?, ?, ?)')
        .run(number, createdAtMs, cause, JSON.stringify(pins), JSON.stringify(changes));
      const n = Number(lastInsertRowid);
      const link = this.#history.prepare('INSERT INTO generation_sources (n, source_revision) VALUES (?, ?)');
      for (const id of sources) link.run(n, id);
      this.#history.onTakenBack(() => {
        this.#current = before;
      });
      this.#current = n;
      return { n, createdAtMs, cause, pins, changes };
    });
  }

  /** Null before the first. */
  current(): Generation | null {
    return this.list(1)[0] ?? null;
  }

  /** 0 before the first. Every entry of the timeline asks for it, also while the disk fails: it is looked up once. */
  currentNumber(): number {
    this.#current ??= this.#number.get()?.n ?? 0;
    return this.#current;
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
