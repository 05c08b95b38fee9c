import { createHash } from 'node:crypto';
import type { Statement } from 'better-sqlite3';
import type { HistoryDatabase } from './history-database.ts';

/** Where desired state comes from: a file of the watched directory, `apply -f`, or the API. */
export type SourceKind = 'watched' | 'applied' | 'api';

export interface SourceText {
  readonly kind: SourceKind;
  /** Absolute path of the file; for stdin and API the name it was given. */
  readonly origin: string;
  /** Absolute directory that relative paths in the text start from. */
  readonly baseDir: string;
  readonly text: string;
}

export interface SourceRevision extends SourceText {
  readonly id: number;
  /** Counts the texts of one origin from 1. */
  readonly revision: number;
  readonly sha256: string;
  readonly recordedAtMs: number;
}

const SELECT = `SELECT r.id, kind, origin, base_dir AS baseDir, text, revision, r.sha256, recorded_at AS recordedAtMs
  FROM source_revisions r JOIN texts t ON t.sha256 = r.sha256`;

/** Every manifest text that was ever part of a generation, until it is pruned. */
export class SourceStore {
  readonly #history: HistoryDatabase;
  readonly #latest: Statement<[string, string], SourceRevision>;
  readonly #ofGeneration: Statement<[number], SourceRevision>;

  constructor(history: HistoryDatabase) {
    this.#history = history;
    this.#latest = history.prepare(`${SELECT} WHERE kind = ? AND origin = ? ORDER BY revision DESC LIMIT 1`);
    this.#ofGeneration = history.prepare(
      `${SELECT} JOIN generation_sources g ON g.source_revision = r.id WHERE g.n = ? ORDER BY kind, origin`,
    );
  }

  /** Stores a text, durably. The text that the origin already has is returned as it is. */
  record(source: SourceText, nowMs: number): SourceRevision {
    const { kind, origin, baseDir, text } = source;
    return this.#history.durable(() => {
      const latest = this.#latest.get(kind, origin);
      if (latest !== undefined && latest.text === text && latest.baseDir === baseDir) return latest;
      const sha256 = createHash('sha256').update(text).digest('hex');
      const revision = (latest?.revision ?? 0) + 1;
      this.#history.prepare('INSERT OR IGNORE INTO texts (sha256, text) VALUES (?, ?)').run(sha256, text);
      const { lastInsertRowid } = this.#history
        .prepare(
          'INSERT INTO source_revisions (kind, origin, base_dir, revision, sha256, recorded_at) VALUES (?, ?, ?, ?, ?, ?)',
        )
        .run(kind, origin, baseDir, revision, sha256, Math.round(nowMs));
      return { ...source, id: Number(lastInsertRowid), revision, sha256, recordedAtMs: Math.round(nowMs) };
    });
  }

  /** The newest revision of an origin, or null. */
  latest(kind: SourceKind, origin: string): SourceRevision | null {
    return this.#latest.get(kind, origin) ?? null;
  }

  /** The texts of a generation, by kind and origin. */
  ofGeneration(n: number): readonly SourceRevision[] {
    return this.#ofGeneration.all(n);
  }
}
