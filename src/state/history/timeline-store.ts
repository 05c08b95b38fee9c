import type { Statement } from 'better-sqlite3';
import type { ResourceKey, SourcePosition } from '../../model/resource.ts';
import type { TimelineDraft, TimelineEntry } from '../../model/status/timeline.ts';
import { isTroubleOfTheDisk } from '../databases/database.ts';
import type { HistoryDatabase } from './history-database.ts';

type Row = Omit<TimelineEntry, 'ok' | 'source' | 'log' | 'container'> & {
  readonly ok: 0 | 1;
  readonly source: string | null;
  readonly log: string | null;
  readonly containerId: string | null;
  readonly image: string | null;
};

const SELECT = `SELECT id, at AS atMs, kind, key, generation, what, ok, cause, message, source, run, log,
  container_id AS containerId, image FROM timeline`;

const fromRow = ({ containerId, image, ...row }: Row): TimelineEntry => ({
  ...row,
  ok: row.ok === 1,
  source: row.source === null ? null : (JSON.parse(row.source) as SourcePosition),
  log: row.log === null ? [] : (JSON.parse(row.log) as string[]),
  ...(containerId !== null && { container: { id: containerId, image: image ?? '' } }),
});

/** Longest text of one entry; a message may quote a manifest or an error of any length. */
const MAX_TEXT = 1000;

/** Entries that wait for room on the disk; beyond, the oldest are given up. */
const MAX_WAITING = 1000;

const cut = (text: string): string => (text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT - 1)}…` : text);

/** What happened, in order. Survives a killed supervisor; the last moments may be lost with the power. */
export class TimelineStore {
  readonly #append: Statement<(string | number | null)[], unknown>;
  readonly #ofKey: Statement<[string, number], Row>;
  readonly #after: Statement<[number, number, number], Row>;
  readonly #imageOf: Statement<[string, string], string>;
  readonly #last: Statement<[], number>;
  readonly #ended: Statement<[string, number, number], number>;
  /** What could not be written, oldest first. */
  readonly #waiting: TimelineDraft[] = [];

  constructor(history: HistoryDatabase) {
    this.#append = history.prepare(`INSERT INTO timeline
      (at, kind, key, generation, what, ok, cause, message, source, run, log, container_id, image)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`);
    this.#ofKey = history.prepare(`${SELECT} WHERE key = ? ORDER BY id DESC LIMIT ?`);
    this.#after = history.prepare(`${SELECT} WHERE id > ? AND at >= ? ORDER BY id LIMIT ?`);
    this.#imageOf = history
      .prepare<[string, string], string>(
        'SELECT image FROM timeline WHERE key = ? AND container_id = ? ORDER BY id DESC LIMIT 1',
      )
      .pluck();
    this.#last = history.prepare<[], number>('SELECT coalesce(max(id), 0) FROM timeline').pluck();
    this.#ended = history
      .prepare<[string, number, number], number>(
        "SELECT 1 FROM timeline WHERE key = ? AND kind = 'exit' AND run = ? AND at >= ? LIMIT 1",
      )
      .pluck();
  }

  /**
   * Records an event. If it cannot be written, as on a full disk or while another process writes to history.db, it is
   * written with what comes later, and lost when the supervisor ends before: a missing entry is better than a stopped
   * supervisor.
   */
  note(entry: TimelineDraft): void {
    this.#waiting.push(entry);
    if (this.#waiting.length > MAX_WAITING) this.#waiting.shift();
    try {
      for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
        this.append(next);
        this.#waiting.shift();
      }
    } catch (error) {
      if (!isTroubleOfTheDisk(error)) throw error;
    }
  }

  /** Not durable by itself: no fsync. Inside a durable change of history.db it goes with that. @throws TSD_DISK_FULL. */
  append({ atMs, kind, key, generation, what, ok, cause, message, source, run, log, container }: TimelineDraft): void {
    this.#append.run(
      Math.round(atMs),
      kind,
      key,
      generation,
      what,
      ok ? 1 : 0,
      cut(cause),
      cut(message),
      source === null ? null : JSON.stringify(source),
      run,
      log.length === 0 ? null : JSON.stringify(log),
      container?.id ?? null,
      container === undefined ? null : cut(container.image),
    );
  }

  /** The latest of one resource, newest first. */
  ofKey(key: ResourceKey, limit: number): readonly TimelineEntry[] {
    return this.#ofKey.all(key, limit).map(fromRow);
  }

  /** The image of a container that an entry names; undefined where none does. */
  imageOf(key: ResourceKey, containerId: string): string | undefined {
    return this.#imageOf.get(key, containerId);
  }

  /** Those that came after entry `id` and happened at `sinceMs` or later, oldest first. */
  after(id: number, sinceMs: number, limit: number): readonly TimelineEntry[] {
    return this.#after.all(id, sinceMs, limit).map(fromRow);
  }

  /** Id of the newest entry; 0 when there is none. */
  lastId(): number {
    return this.#last.get() ?? 0;
  }

  /**
   * Reports whether the end of this run is recorded already.
   * @param sinceMs when the container was made: another one before it had runs of these numbers too
   */
  hasExit(key: ResourceKey, run: number, sinceMs: number): boolean {
    return this.#ended.get(key, run, Math.floor(sinceMs)) !== undefined;
  }
}
