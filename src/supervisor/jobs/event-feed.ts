/** Events in Docker's format: each event of the timeline is passed to the listeners. */
import { constants } from 'node:os';
import type { EventRing } from '../../engine/events.ts';
import type { Timers } from '../../model/clock.ts';
import { parseKey } from '../../model/resource.ts';
import { readSignal } from '../../model/signals.ts';
import type { TimelineDraft } from '../../model/status/timeline.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { TimelineStore } from '../../state/history/timeline-store.ts';

export interface DockerEvent {
  readonly status: string;
  /** Of the container or image, 64 hexadecimal digits where they are known; else the name. */
  readonly id: string;
  /** Image of the container; empty for other things, and where it is not known. */
  readonly from: string;
  readonly atWallMs: number;
}

/** By what the timeline calls it. */
const STATUS_OF: Readonly<Record<string, string>> = {
  'container.create': 'create',
  'container.start': 'start',
  'container.stop': 'stop',
  'container.remove': 'destroy',
  exited: 'die',
  'oom-killed': 'die',
  kill: 'kill',
  export: 'export',
  'image.load': 'pull',
  pull: 'pull',
  push: 'push',
  import: 'import',
  load: 'load',
  tag: 'tag',
  untag: 'untag',
  delete: 'delete',
};

/** Docker has an event for this signal alone. */
const isKill = (message: string): boolean => readSignal(message.split(' ').at(-1) ?? '') === constants.signals.SIGKILL;

/** `what` of the timeline entries that the job `log` writes. */
const LOGGED = 'logged';

export interface EventFeedParts {
  readonly timers: Timers;
  readonly ring: EventRing<DockerEvent>;
  readonly containers: Pick<ContainerStore, 'byKey'>;
  readonly timeline: Pick<TimelineStore, 'after'>;
  /** Writes onto the timeline. */
  readonly note: (what: string, cause: string, message: string) => void;
}

/** Entries of the timeline that are read at a time. */
const PAGE = 500;
/** Events that wait for a listener; of one that is slower than that the oldest are left out. */
const MOST_WAITING = 64;

export class EventFeed {
  readonly #parts: EventFeedParts;
  readonly #ring: EventRing<DockerEvent>;
  readonly #watchers: ((entry: TimelineDraft) => void)[] = [];

  constructor(parts: EventFeedParts) {
    this.#parts = parts;
    this.#ring = parts.ring;
  }

  get subscribers(): number {
    return this.#ring.subscribers;
  }

  /** The listener gets each entry of the timeline from now on. */
  watch(watcher: (entry: TimelineDraft) => void): void {
    this.#watchers.push(watcher);
  }

  /** The timeline has a new entry. */
  noted(entry: TimelineDraft): void {
    for (const watcher of this.#watchers) watcher(entry);
    const event = this.#eventOf(entry);
    if (event !== null) this.#ring.log(event);
  }

  /** An event from outside. */
  log(status: string, id: string, from: string): void {
    this.#parts.note(status, LOGGED, from === '' ? id : `${id} ${from}`);
  }

  /**
   * Events since a time and, unless `untilMs` is over, those that come until then. The latest are in memory, older ones are
   * read from the timeline.
   */
  async *events(sinceMs: number | null, untilMs: number | null, signal: AbortSignal): AsyncGenerator<DockerEvent> {
    const waiting: DockerEvent[] = [];
    let wake = (): void => {};
    const leave = this.#ring.subscribe((event) => {
      waiting.push(event);
      if (waiting.length > MOST_WAITING) waiting.shift();
      wake();
    });
    const stop = (): void => wake();
    signal.addEventListener('abort', stop);
    const until = untilMs ?? Number.POSITIVE_INFINITY;
    const disarm = Number.isFinite(until) ? wakeAt(this.#parts.timers, until, stop) : (): void => {};
    try {
      if (sinceMs !== null) yield* this.#past(sinceMs, until);
      while (!signal.aborted) {
        for (let event = waiting.shift(); event !== undefined; event = waiting.shift()) {
          if (event.atWallMs > until) return;
          yield event;
        }
        if (Date.now() >= until) return;
        await new Promise<void>((resolve) => {
          wake = resolve;
          if (waiting.length > 0 || signal.aborted) resolve();
        });
      }
    } finally {
      disarm();
      signal.removeEventListener('abort', stop);
      leave();
    }
  }

  *#past(sinceMs: number, untilMs: number): Generator<DockerEvent> {
    const latest = this.#ring.between(0, untilMs);
    const [oldest] = latest;
    if (oldest === undefined || oldest.atWallMs > sinceMs) yield* this.#older(sinceMs, oldest?.atWallMs ?? untilMs + 1);
    yield* latest.filter(({ atWallMs }) => atWallMs >= sinceMs);
  }

  /** Up to `beforeMs`, from the timeline. */
  *#older(sinceMs: number, beforeMs: number): Generator<DockerEvent> {
    let last = 0;
    for (;;) {
      const page = this.#parts.timeline.after(last, sinceMs, PAGE);
      for (const entry of page) {
        const event = entry.atMs < beforeMs ? this.#eventOf(entry) : null;
        if (event !== null) yield event;
        last = entry.id;
      }
      if (page.length < PAGE) return;
    }
  }

  /** Null for what Docker has no event for, and for what failed. */
  #eventOf(entry: TimelineDraft): DockerEvent | null {
    const { atMs, kind, key, what, ok, cause, message } = entry;
    const atWallMs = atMs;
    if (cause === LOGGED && key === null) {
      const [id = '', from = ''] = message.split(' ');
      return { status: what, id, from, atWallMs };
    }
    const status = Object.hasOwn(STATUS_OF, what) ? STATUS_OF[what] : undefined;
    // A run that ended badly has ended.
    if (status === undefined || (!ok && kind !== 'exit')) return null;
    if (status === 'kill' && !isKill(message)) return null;
    return { status, ...this.#subject(entry), atWallMs };
  }

  #subject({ key, message, container: noted }: TimelineDraft): Pick<DockerEvent, 'id' | 'from'> {
    if (noted !== undefined) return { id: noted.id, from: noted.image };
    if (key === null) return { id: message.split(' ', 1)[0] ?? '', from: '' };
    const { app, name } = parseKey(key);
    const container = this.#parts.containers.byKey(key);
    return { id: container?.id ?? `${app}/${name}`, from: container?.config.Image ?? '' };
  }
}

/** A timer fires early where the time is further off than timers reach: then it is set again. */
function wakeAt(timers: Timers, atWallMs: number, wake: () => void): () => void {
  const set = (): (() => void) => timers.after(atWallMs - Date.now(), fire);
  const fire = (): void => {
    if (Date.now() >= atWallMs) wake();
    else cancel = set();
  };
  let cancel = set();
  return () => cancel();
}
