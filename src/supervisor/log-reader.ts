/** Reads a container's json-file log: rotated files oldest first, then the live one, and goes on with it on request. */

import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { LogEntry, LogOptions } from '../api/supervisor.ts';

const CHUNK_BYTES = 64 * 1024;
/** An entry holds at most 16 KiB of payload, at most six bytes each when escaped. */
const MAX_ENTRY_BYTES = 128 * 1024;
/** Safety net beside inotify, for filesystems that do not report changes. */
const RECHECK_MS = 1000;

interface LogFile {
  readonly handle: FileHandle;
  readonly inode: number;
}

async function openLog(path: string): Promise<LogFile | null> {
  try {
    const handle = await open(path, 'r');
    return { handle, inode: (await handle.stat()).ino };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Paths that exist, oldest first: `<path>.3 <path>.2 <path>.1 <path>`. */
async function logFiles(path: string): Promise<string[]> {
  const files: string[] = [];
  for (let index = 1; ; index++) {
    const rotated = `${path}.${index}`;
    const found = await stat(rotated).then(
      () => true,
      () => false,
    );
    if (!found) break;
    files.unshift(rotated);
  }
  return [...files, path];
}

/** Cuts a byte stream into lines; what follows the last newline waits for more. */
class LineBuffer {
  #rest = Buffer.alloc(0);

  push(chunk: Buffer): string[] {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const lines: string[] = [];
    let start = 0;
    for (let end = data.indexOf(10, start); end >= 0; end = data.indexOf(10, start)) {
      lines.push(data.toString('utf8', start, end));
      start = end + 1;
    }
    // A damaged file without newlines must not grow in memory.
    this.#rest = data.length - start > MAX_ENTRY_BYTES ? Buffer.alloc(0) : Buffer.from(data.subarray(start));
    return lines;
  }
}

/** One line of a json-file log; null for what is none. */
export function parseEntry(line: string): LogEntry | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== 'object' || value === null) return null;
    const { log, stream, time } = value as Record<string, unknown>;
    if (typeof log !== 'string' || typeof time !== 'string') return null;
    return { log, stream: stream === 'stderr' ? 'stderr' : 'stdout', time };
  } catch {
    return null;
  }
}

function wanted(entry: LogEntry, options: LogOptions): boolean {
  if (entry.stream === 'stdout' ? !options.stdout : !options.stderr) return false;
  return options.sinceMs === null || Date.parse(entry.time) >= options.sinceMs;
}

async function* readEntries(handle: FileHandle, lines: LineBuffer): AsyncGenerator<LogEntry> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  for (;;) {
    const { bytesRead } = await handle.read(chunk, 0, chunk.length, null);
    if (bytesRead === 0) return;
    for (const line of lines.push(chunk.subarray(0, bytesRead))) {
      const entry = parseEntry(line);
      if (entry) yield entry;
    }
  }
}

/** Resolves when something in the directory of the log changed, when aborted, and after {@link RECHECK_MS}. */
class ChangeSignal {
  readonly #watcher: FSWatcher;
  #wake: (() => void) | null = null;
  #pending = false;

  constructor(path: string, signal: AbortSignal) {
    const name = basename(path);
    this.#watcher = watch(dirname(path), (_event, file) => {
      if (file === null || file === name) this.#fire();
    });
    this.#watcher.on('error', () => this.#fire());
    signal.addEventListener('abort', () => this.#fire(), { once: true });
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
    this.#watcher.close();
  }
}

async function* readStored(path: string, options: LogOptions, live: LogFile | null, lines: LineBuffer) {
  const kept: LogEntry[] = [];
  const keep = function* (entry: LogEntry): Generator<LogEntry> {
    if (!wanted(entry, options)) return;
    if (options.tail === null) yield entry;
    else {
      kept.push(entry);
      if (kept.length > options.tail * 2 + 1024) kept.splice(0, kept.length - options.tail);
    }
  };
  for (const file of (await logFiles(path)).slice(0, -1)) {
    const opened = await openLog(file);
    // The live file may have been rotated since it was opened; it is read last, from its own handle.
    if (!opened) continue;
    try {
      if (opened.inode === live?.inode) continue;
      for await (const entry of readEntries(opened.handle, new LineBuffer())) yield* keep(entry);
    } finally {
      await opened.handle.close();
    }
  }
  if (live) for await (const entry of readEntries(live.handle, lines)) yield* keep(entry);
  if (options.tail !== null && options.tail > 0) yield* kept.slice(-options.tail);
}

/**
 * Entries of a log in order. With `follow` it goes on over rotations and restarts until `finished()` says that nothing
 * more will come, or the signal aborts.
 */
export async function* readLog(
  path: string,
  options: LogOptions,
  finished: () => boolean,
  signal: AbortSignal,
): AsyncGenerator<LogEntry> {
  const changes = options.follow ? new ChangeSignal(path, signal) : null;
  let live = await openLog(path);
  let lines = new LineBuffer();
  try {
    yield* readStored(path, options, live, lines);
    while (changes && !signal.aborted) {
      // Asked before reading, so that what was written before the end is still read.
      const last = finished();
      if (live) {
        for await (const entry of readEntries(live.handle, lines)) if (wanted(entry, options)) yield entry;
      }
      const current = await openLog(path);
      if (current && current.inode !== live?.inode) {
        if (live) {
          for await (const entry of readEntries(live.handle, lines)) if (wanted(entry, options)) yield entry;
          await live.handle.close();
        }
        live = current;
        lines = new LineBuffer();
        continue;
      }
      await current?.handle.close();
      if (last) return;
      await changes.next();
    }
  } finally {
    changes?.close();
    await live?.handle.close();
  }
}
