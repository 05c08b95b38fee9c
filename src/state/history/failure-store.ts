import type { Statement } from 'better-sqlite3';
import type { ErrorClass } from '../../model/errors/error-class.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { HistoryDatabase } from './history-database.ts';

/** The last failure of a resource's ops and the state of its backoff. */
export interface FailureRecord {
  readonly key: ResourceKey;
  /** The kind of op that failed; null when several ops failed together, and in rows of earlier versions. */
  readonly op: string | null;
  readonly class: ErrorClass;
  readonly message: string;
  /** What a person can do about it; null in rows of earlier versions. */
  readonly hint: string | null;
  /** The spec under which it failed; a changed spec is tried at once. */
  readonly specHash: string;
  /** Failures in a row. */
  readonly attempts: number;
  /** Time of the retry in ms on the boot clock of boot `bootId`; null: only a change of the spec retries it. */
  readonly retryAtBootMs: number | null;
  readonly bootId: string;
}

/** The `failures` table: the last failure of each resource's ops. Back-off of a container's runs is in the container's record. */
export class FailureStore {
  readonly #all: Statement<[], FailureRecord>;
  readonly #set: Statement<[FailureRecord], unknown>;
  readonly #clear: Statement<[string], unknown>;

  constructor(history: HistoryDatabase) {
    this.#all = history.prepare(`SELECT key, op, class, message, hint, spec_hash AS specHash, attempts,
      retry_at_boot_ms AS retryAtBootMs, boot_id AS bootId FROM failures`);
    this.#set = history.prepare(`INSERT OR REPLACE INTO failures
      (key, op, class, message, hint, spec_hash, attempts, retry_at_boot_ms, boot_id)
      VALUES (:key, :op, :class, :message, :hint, :specHash, :attempts, :retryAtBootMs, :bootId)`);
    this.#clear = history.prepare('DELETE FROM failures WHERE key = ?');
  }

  all(): readonly FailureRecord[] {
    return this.#all.all();
  }

  set(record: FailureRecord): void {
    this.#set.run(record);
  }

  /** Deletes the failure of a resource that works again or is gone. */
  clear(key: ResourceKey): void {
    this.#clear.run(key);
  }
}
