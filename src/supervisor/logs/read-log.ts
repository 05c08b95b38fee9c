/** Reads a container's log: from the end or from a time, up to a time, or followed. */
import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { LogEntry, LogOptions } from '../../api/requests.ts';
import type { PlacedEntry } from './entry.ts';
import { LogTail } from './log-tail.ts';

/** Safety net beside inotify, for filesystems that do not report changes. */
const RECHECK_MS = 1000;

/** Resolves when something in the directory of the log changed, when aborted, and after {@link RECHECK_MS}. */
export class ChangeSignal {
  readonly #watcher: FSWatcher | null;
  #wake: (() => void) | null = null;
  #pending = false;

  constructor(path: string, signal: AbortSignal) {
    this.#watcher = this.#watch(path);
    signal.addEventListener('abort', () => this.#fire(), { once: true });
  }

  /** Null where there is nothing to watch any more, or no watch can be had: the recheck does it then. */
  #watch(path: string): FSWatcher | null {
    const name = basename(path);
    try {
      const watcher = watch(dirname(path), (_event, file) => {
        if (file === null || file === name) this.#fire();
      });
      watcher.on('error', () => this.#fire());
      return watcher;
    } catch {
      return null;
    }
  }

  #fire(): void {
    this.#pending = true;
    this.#wake?.();
  }

  async next(): Promise<void> {
    if (!this.#pending) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, RECHECK_MS);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#wake = null;
    this.#pending = false;
  }

  close(): void {
    this.#watcher?.close();
  }
}

const plain = ({ log, stream, time }: PlacedEntry): LogEntry => ({ log, stream, time });

function wanted(entry: LogEntry, { stdout, stderr, sinceMs, untilMs }: LogOptions): boolean {
  if (entry.stream === 'stdout' ? !stdout : !stderr) return false;
  if (sinceMs === null && untilMs === null) return true;
  const at = Date.parse(entry.time);
  return (sinceMs === null || at >= sinceMs) && (untilMs === null || at < untilMs);
}

/** The last entries are found from the end, without reading all, unless some of them are not wanted. */
async function begin(log: LogTail, { stdout, stderr, untilMs, tail }: LogOptions): Promise<void> {
  if (tail !== null && stdout && stderr && untilMs === null) await log.fromEnd(tail);
  else await log.fromOldest();
}

async function* stored(tail: LogTail, options: LogOptions): AsyncGenerator<LogEntry> {
  const kept: LogEntry[] = [];
  for (let entries = await tail.next(); entries !== null; entries = await tail.next()) {
    for (const entry of entries) {
      if (!wanted(entry, options)) continue;
      if (options.tail === null) yield plain(entry);
      else kept.push(plain(entry));
    }
    if (options.tail !== null && kept.length > options.tail * 2 + 1024) kept.splice(0, kept.length - options.tail);
  }
  if (options.tail !== null && options.tail > 0) yield* kept.slice(-options.tail);
}

/**
 * Entries of a log in order. With `follow` it continues over rotations and restarts until `finished()` says that nothing
 * more will come, the time `untilMs` is over, or the signal aborts.
 */
export async function* readLog(
  path: string,
  options: LogOptions,
  finished: () => boolean,
  signal: AbortSignal,
): AsyncGenerator<LogEntry> {
  const changes = options.follow ? new ChangeSignal(path, signal) : null;
  const tail = new LogTail(path);
  try {
    await begin(tail, options);
    yield* stored(tail, options);
    while (changes && !signal.aborted) {
      // Asked before reading, so that what was written before the end is still read.
      const last = finished() || (options.untilMs !== null && Date.now() >= options.untilMs);
      for (let entries = await tail.next(); entries !== null; entries = await tail.next()) {
        for (const entry of entries) if (wanted(entry, options)) yield plain(entry);
        if (signal.aborted) return;
      }
      if (last) return;
      await changes.next();
    }
  } finally {
    changes?.close();
    await tail.close();
  }
}
