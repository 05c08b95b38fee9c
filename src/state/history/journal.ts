import type { Statement } from 'better-sqlite3';
import type { TsdErrorJson } from '../../model/errors/errors.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { HistoryDatabase } from './history-database.ts';

/** `interrupted`: the supervisor died before the op ended. */
export type OpStatus = 'running' | 'succeeded' | 'failed' | 'skipped' | 'interrupted';

export interface OpStart {
  /** The pass of the reconciler that the op belongs to. */
  readonly reconcileId: string;
  readonly opId: string;
  readonly op: string;
  readonly key: ResourceKey;
  readonly cause: string;
}

export interface JournalEntry extends OpStart {
  readonly id: number;
  readonly startedAtMs: number;
  readonly endedAtMs: number | null;
  readonly status: OpStatus;
  readonly error: TsdErrorJson | null;
}

type Row = Omit<JournalEntry, 'error'> & { readonly error: string | null };

const SELECT = `SELECT id, reconcile_id AS reconcileId, op_id AS opId, op, key, cause,
  started_at AS startedAtMs, ended_at AS endedAtMs, status, error FROM ops`;

const fromRow = (row: Row): JournalEntry => ({
  ...row,
  error: row.error === null ? null : (JSON.parse(row.error) as TsdErrorJson),
});

/** Ops as they began and ended. Survives a killed supervisor; the last moments may be lost with the power. */
export class Journal {
  readonly #begin: Statement<[string, string, string, string, string, number], unknown>;
  readonly #end: Statement<[number, OpStatus, string | null, number], unknown>;
  readonly #unfinished: Statement<[], Row>;
  readonly #recent: Statement<[number], Row>;
  readonly #ofKey: Statement<[string, number], Row>;

  constructor(history: HistoryDatabase) {
    this.#begin = history.prepare(`INSERT INTO ops (reconcile_id, op_id, op, key, cause, started_at, status)
      VALUES (?, ?, ?, ?, ?, ?, 'running')`);
    this.#end = history.prepare(
      "UPDATE ops SET ended_at = ?, status = ?, error = ? WHERE id = ? AND status = 'running'",
    );
    this.#unfinished = history.prepare(`${SELECT} WHERE status = 'running' ORDER BY id`);
    this.#recent = history.prepare(`${SELECT} ORDER BY id DESC LIMIT ?`);
    this.#ofKey = history.prepare(`${SELECT} WHERE key = ? ORDER BY id DESC LIMIT ?`);
  }

  /** Notes that an op begins. Returns the entry's id for {@link end}. */
  begin({ reconcileId, opId, op, key, cause }: OpStart, nowMs: number): number {
    return Number(this.#begin.run(reconcileId, opId, op, key, cause, Math.round(nowMs)).lastInsertRowid);
  }

  /** Notes how an op ended. Only the first end of an entry counts. */
  end(id: number, status: Exclude<OpStatus, 'running'>, error: TsdErrorJson | null, nowMs: number): void {
    this.#end.run(Math.round(nowMs), status, error === null ? null : JSON.stringify(error), id);
  }

  /** Ends what a dead supervisor left running and returns it, for the start to look at. */
  interruptUnfinished(nowMs: number): readonly JournalEntry[] {
    const entries = this.#unfinished.all().map(fromRow);
    for (const { id } of entries) this.end(id, 'interrupted', null, nowMs);
    return entries;
  }

  /** Newest first. */
  recent(limit: number): readonly JournalEntry[] {
    return this.#recent.all(limit).map(fromRow);
  }

  /** Newest first. */
  ofKey(key: ResourceKey, limit: number): readonly JournalEntry[] {
    return this.#ofKey.all(key, limit).map(fromRow);
  }
}
