/**
 * State of host files on filesystems that may not answer (a dead server, a FUSE daemon that hangs):
 * a direct look at one of their files may block for ever. Separate processes look at such files, and their results are kept
 * here. Nothing is kept of other files: looking at them directly is cheap.
 */
import { constants } from 'node:os';
import type { Clock, Timers } from '../model/clock.ts';
import { within } from '../model/clock.ts';
import { toTsdError } from '../model/errors/errors.ts';

/** A filesystem that may not answer. */
export interface RemoteFilesystem {
  /**
   * Differs from the id of an earlier filesystem at this place while a check still waits for that one: this one does not
   * answer that check. Without such a check the id may be the same, and the earlier answer stays valid for its time.
   */
  readonly id: string;
  readonly type: string;
  readonly place: string;
}

export interface PathBookPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  /** The first such filesystem on the way to a path, or null. Never waits. */
  remoteOn(path: string): RemoteFilesystem | null;
  /** Looks at a path in a process of its own: 0 when it is there, else an errno. May never resolve. */
  reach(path: string): Promise<number>;
  /** Something else is to be said of a path than was said last. */
  onNews(path: string): void;
}

/** A filesystem that takes longer to answer counts as one that does not. */
const PATIENCE_MS = 1_000;
/** What follows from an answer is done by then. */
const HOLDS_MS = 1_000;
/** Processes of one filesystem that may be kept by it: with so many, its other files are not asked about either. */
const ASKED_AT_ONCE = 4;
/** Answers that are too old for anything are forgotten when there are so many. */
const KEPT = 1_000;

interface Entry {
  readonly remote: RemoteFilesystem;
  /** Resolves with the answer; null when no check runs. */
  asking: Promise<void> | null;
  late: boolean;
  /** True when a caller has waited for it. */
  waited: boolean;
  /** The result of a check: what blocks the path (null: nothing), and the time of the check. */
  answer: {
    readonly trouble: string | null;
    readonly atBootMs: number;
    /** False when the check failed or was killed: the filesystem may still not answer. */
    readonly byFilesystem: boolean;
  } | null;
  /** The last reported answer; undefined before the first report. */
  reported: string | null | undefined;
}

/** What is said of a path where nothing is. */
export const MISSING_PATH = 'does not exist';

const MISSING: ReadonlySet<number> = new Set([constants.errno.ENOENT, constants.errno.ENOTDIR]);

/** Returns why a path cannot be looked at, from the errno of the attempt; null for none. */
export function pathTrouble(errno: number): string | null {
  if (errno === 0) return null;
  if (MISSING.has(errno)) return MISSING_PATH;
  const name = Object.entries(constants.errno).find(([, number]) => number === errno)?.[0];
  return `cannot be looked at: ${name ?? errno}`;
}

const called = ({ type, place }: RemoteFilesystem): string => `filesystem ${type} at ${place}`;

export class PathBook {
  readonly #ports: PathBookPorts;
  readonly #entries = new Map<string, Entry>();
  /** Questions without an answer, by filesystem. */
  readonly #open = new Map<string, number>();
  /** Paths whose check did not end in time and that no caller has waited for yet. */
  readonly #unsaid = new Set<string>();

  constructor(ports: PathBookPorts) {
    this.#ports = ports;
  }

  isRemote(path: string): boolean {
    return this.#ports.remoteOn(path) !== null;
  }

  /** True when looking at it does not wait for anybody: it is local, or its filesystem has just answered. Else asks that. */
  isFree(path: string): boolean {
    const remote = this.#ports.remoteOn(path);
    if (remote === null) return true;
    const entry = this.#asked(path, remote);
    return this.#isFresh(entry) && entry.answer?.byFilesystem === true;
  }

  /**
   * Returns what blocks the use of a path, as words that follow its name; null for nothing, undefined for a path that can
   * as well be looked at. Never waits: of what is not known yet that is said.
   */
  trouble(path: string): string | null | undefined {
    const remote = this.#ports.remoteOn(path);
    if (remote === null) return undefined;
    const entry = this.#asked(path, remote);
    entry.reported = this.#say(entry);
    if (entry.asking !== null && !entry.late && !entry.waited) this.#unsaid.add(path);
    return entry.reported;
  }

  /** Asks about those that need it, and waits for the answers as long as one may take. Returns whether there were any. */
  async settle(paths: Iterable<string>): Promise<boolean> {
    const { clock, timers } = this.#ports;
    const all = [...new Set(paths)];
    let sinceMs: number | null = null;
    for (let waited = false; ; waited = true) {
      const open = all.flatMap((path) => this.#question(path) ?? []);
      const { bootMs } = clock.now();
      // Counted from when they have been asked about: an unanswered check counts as late before the last waiter gives up.
      sinceMs ??= bootMs;
      const leftMs = PATIENCE_MS - (bootMs - sinceMs);
      if (open.length === 0 || leftMs <= 0) return waited;
      // With each answer the next of those is asked about that had to wait for a process.
      await within(timers, leftMs, Promise.race(open), null);
    }
  }

  /** The question that is open about a path and may be answered in time; null for none. */
  #question(path: string): Promise<void> | null {
    const remote = this.#ports.remoteOn(path);
    if (remote === null) return null;
    const { asking, late } = this.#asked(path, remote);
    return late ? null : asking;
  }

  /** Invalidates the result for a path that the caller has changed. */
  forget(path: string): void {
    const entry = this.#entries.get(path);
    if (entry?.asking === null) this.#entries.delete(path);
  }

  /** Waits for what {@link trouble} left open, each once and all together for a short while; null when there is nothing. */
  answers(ms: number): Promise<unknown> | null {
    const open: Promise<void>[] = [];
    for (const path of this.#unsaid) {
      const entry = this.#entries.get(path);
      if (entry === undefined || entry.asking === null) continue;
      entry.waited = true;
      open.push(entry.asking);
    }
    this.#unsaid.clear();
    return open.length === 0 ? null : within(this.#ports.timers, ms, Promise.all(open), null);
  }

  #isFresh({ answer }: Entry): boolean {
    return answer !== null && this.#ports.clock.now().bootMs - answer.atBootMs < HOLDS_MS;
  }

  #say(entry: Entry): string | null {
    const { remote, answer, asking, late } = entry;
    if (answer !== null && this.#isFresh(entry)) return answer.trouble;
    const hangs = asking === null ? this.#hangs(remote) : late;
    if (!hangs) return `is being looked at (${called(remote)})`;
    return `does not answer (${called(remote)}); bring back what serves it, or give it up by \`umount -f ${remote.place}\``;
  }

  /** A question about some file of it has been open for too long. */
  #hangs({ id }: RemoteFilesystem): boolean {
    return [...this.#entries.values()].some(({ remote, asking, late }) => remote.id === id && asking !== null && late);
  }

  #asked(path: string, remote: RemoteFilesystem): Entry {
    let entry = this.#entries.get(path);
    if (entry === undefined || entry.remote.id !== remote.id) {
      this.#forgetOld();
      entry = { remote, asking: null, late: false, waited: false, answer: null, reported: entry?.reported };
      this.#entries.set(path, entry);
    }
    const open = this.#open.get(remote.id) ?? 0;
    if (entry.asking === null && !this.#isFresh(entry) && open < ASKED_AT_ONCE) this.#ask(path, entry);
    return entry;
  }

  #ask(path: string, entry: Entry): void {
    const { clock, timers } = this.#ports;
    const { id } = entry.remote;
    this.#open.set(id, (this.#open.get(id) ?? 0) + 1);
    entry.late = false;
    entry.waited = false;
    const cancel = timers.after(PATIENCE_MS, () => {
      entry.late = true;
      this.#news(path, entry);
      this.#reportUnchecked(id);
    });
    const ended = (trouble: string | null, byFilesystem: boolean): void => {
      cancel();
      this.#open.set(id, (this.#open.get(id) ?? 1) - 1);
      if (this.#open.get(id) === 0) this.#open.delete(id);
      entry.asking = null;
      entry.late = false;
      entry.answer = { trouble, atBootMs: clock.now().bootMs, byFilesystem };
      this.#news(path, entry);
      this.#reportUnchecked(id);
    };
    entry.asking = this.#ports.reach(path).then(
      (errno) => ended(pathTrouble(errno), true),
      (thrown) => ended(`cannot be looked at: ${toTsdError(thrown).message}`, false),
    );
  }

  /** Reports a changed answer once, if another one was reported before. */
  #news(path: string, entry: Entry): void {
    if (this.#entries.get(path) !== entry || entry.reported === undefined) return;
    const now = this.#say(entry);
    if (now === entry.reported) return;
    entry.reported = now;
    this.#ports.onNews(path);
  }

  /** Reports paths whose filesystem has a new state and that were not checked for it. */
  #reportUnchecked(id: string): void {
    for (const [path, entry] of this.#entries) {
      const { remote, asking, reported } = entry;
      if (remote.id === id && asking === null && reported && !this.#isFresh(entry)) this.#ports.onNews(path);
    }
  }

  #forgetOld(): void {
    if (this.#entries.size < KEPT) return;
    for (const [path, entry] of this.#entries) {
      if (entry.asking === null && !this.#isFresh(entry)) this.#entries.delete(path);
    }
  }
}
