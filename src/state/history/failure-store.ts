import type { Statement } from 'better-sqlite3';
import type { ErrorClass } from '../../model/error-class.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { HistoryDatabase } from './history-database.ts';

/** The last failure of a resource's ops and the state of its backoff. */
export interface FailureRecord {
  readonly key: ResourceKey;
  readonly class: ErrorClass;
  readonly message: string;
  /** The spec it happened with; another one is tried at once. */
  readonly specHash: string;
  /** Failures in a row. */
  readonly attempts: number;
  /** On the boot clock of boot `bootId`, in ms; null waits for a change. */
  readonly retryAtBootMs: number | null;
  readonly bootId: string;
}

/** Backoff counters of ops, one a resource. Those of a container's runs stand in its own record. */
export class FailureStore {
  readonly #all: Statement<[], FailureRecord>;
  readonly #set: Statement<[string, string, string, string, number, number | null, string], unknown>;
  readonly #clear: Statement<[string], unknown>;

  constructor(history: HistoryDatabase) {
    this.#all = history.prepare(`SELECT key, class, message, spec_hash AS specHash, attempts,
      retry_at_boot_ms AS retryAtBootMs, boot_id AS bootId FROM failures`);
    this.#set = history.prepare('INSERT OR REPLACE INTO failures VALUES (?, ?, ?, ?, ?, ?, ?)');
    this.#clear = history.prepare('DELETE FROM failures WHERE key = ?');
  }

  all(): readonly FailureRecord[] {
    return this.#all.all();
  }

  set(record: FailureRecord): void {
    const { key, message, specHash, attempts, retryAtBootMs, bootId } = record;
    this.#set.run(key, record.class, message, specHash, attempts, retryAtBootMs, bootId);
  }

  /** The resource works again, or is gone. */
  clear(key: ResourceKey): void {
    this.#clear.run(key);
  }
}
