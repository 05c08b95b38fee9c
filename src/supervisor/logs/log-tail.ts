/**
 * Reads a container's json-file log forward, from one file to the next while the shim rotates them: `<path>` is written,
 * `<path>.1` is the one before it, and so on. A file that is held open is read to its end wherever its name went.
 */

import { readdirSync, statSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { largest } from '../../model/lists.ts';
import { EntryBuffer, markLength, markOf, type PlacedEntry } from './entry.ts';

const CHUNK_BYTES = 64 * 1024;
/** Names shift while they are looked at; a file that is not found is looked for once more. */
const LOOKS = 3;
/** A writer that rotates during every look is outrun sooner or later. */
const MOST_LOOKS = 100;

/** A place in a log that is found again after a restart, also when files were rotated meanwhile. */
export interface LogPosition {
  readonly inode: number;
  readonly offset: number;
  /** The bytes before `offset`: they detect a file whose inode number was reused. */
  readonly mark: string;
}

interface NamedFile {
  readonly path: string;
  readonly inode: number;
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly inode: number;
}

function inodeOf(path: string): number | null {
  return statSync(path, { throwIfNoEntry: false })?.ino ?? null;
}

async function openFile(path: string): Promise<OpenFile | null> {
  try {
    const handle = await open(path, 'r');
    return { handle, inode: (await handle.stat()).ino };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function numbersOf(path: string): readonly number[] {
  const prefix = `${basename(path)}.`;
  let names: readonly string[];
  try {
    names = readdirSync(dirname(path));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return names.flatMap((name) => {
    const rest = name.startsWith(prefix) ? name.slice(prefix.length) : '';
    return /^\d{1,6}$/.test(rest) ? [Number(rest)] : [];
  });
}

/** Files of a log as their names are now, the one that is written first. At once, so that little can change meanwhile. */
function filesOf(path: string): readonly NamedFile[] {
  for (let look = 1; ; look++) {
    const live = inodeOf(path);
    const numbers = numbersOf(path);
    const found = new Map<number, NamedFile>();
    if (live !== null) found.set(live, { path, inode: live });
    // While names are being shifted each may be one further.
    for (let number = 1; number <= largest(numbers, 0) + 1; number++) {
      const inode = inodeOf(`${path}.${number}`);
      if (inode !== null && !found.has(inode)) found.set(inode, { path: `${path}.${number}`, inode });
    }
    // The order is that of one moment only when no rotation began meanwhile.
    if (inodeOf(path) === live || look === MOST_LOOKS) return [...found.values()];
  }
}

/** True when the file is the one the position was taken in. */
async function holds({ handle }: OpenFile, { offset, mark }: LogPosition): Promise<boolean> {
  if (offset === 0) return true;
  const before = Buffer.alloc(markLength(offset));
  const { bytesRead } = await handle.read(before, 0, before.length, offset - before.length);
  return bytesRead === before.length && markOf(before).endsWith(mark);
}

export class LogTail {
  readonly #path: string;
  #file: OpenFile | null = null;
  #buffer = new EntryBuffer(0);
  /** Where the next byte is read. */
  #offset = 0;
  #gaps = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Inode of the file that the latest entries came from; 0 before there is one. */
  get inode(): number {
    return this.#file?.inode ?? 0;
  }

  /** How often files were gone before they could be read. */
  get gaps(): number {
    return this.#gaps;
  }

  /** Begins at the oldest entry that is kept; without a log, with the first that comes. */
  async fromOldest(): Promise<void> {
    const files = filesOf(this.#path);
    for (const { path } of files.toReversed()) if (await this.#open(path, 0)) return;
  }

  /** Begins `lines` entries before the present end, or at the oldest. */
  async fromEnd(lines: number): Promise<void> {
    let left = lines;
    for (const { path } of filesOf(this.#path)) {
      const file = await openFile(path);
      if (!file) continue;
      const found = await lineStart(file.handle, left);
      await this.#take(file, found.offset);
      left -= found.lines;
      if (left <= 0) return;
    }
  }

  /**
   * Continues after a position. If its file was rotated away, continues with the oldest kept file and counts a gap.
   */
  async fromPosition(position: LogPosition): Promise<void> {
    for (const { path, inode } of filesOf(this.#path)) {
      if (inode !== position.inode) continue;
      const file = await openFile(path);
      if (file && file.inode === inode && (await holds(file, position))) {
        await this.#take(file, position.offset);
        return;
      }
      await file?.handle.close();
    }
    this.#gaps += 1;
    await this.fromOldest();
  }

  /** The next entries, at least one; null at the present end. */
  async next(): Promise<readonly PlacedEntry[] | null> {
    for (;;) {
      const entries = await this.#read();
      if (entries.length > 0) return entries;
      const newer = await this.#newer();
      if (newer === null) return null;
      // A rotated file is not written any more: what is read now is complete.
      const rest = await this.#read();
      if (rest.length > 0) {
        await newer.handle.close();
        return rest;
      }
      await this.#take(newer, 0);
    }
  }

  async close(): Promise<void> {
    await this.#file?.handle.close();
    this.#file = null;
  }

  async #open(path: string, offset: number): Promise<boolean> {
    const file = await openFile(path);
    if (file) await this.#take(file, offset);
    return file !== null;
  }

  async #take(file: OpenFile, offset: number): Promise<void> {
    await this.close();
    this.#file = file;
    this.#offset = offset;
    this.#buffer = new EntryBuffer(offset);
  }

  async #read(): Promise<readonly PlacedEntry[]> {
    if (!this.#file) return [];
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await this.#file.handle.read(chunk, 0, chunk.length, this.#offset);
      if (bytesRead === 0) {
        if ((await this.#file.handle.stat()).size >= this.#offset) return [];
        // The only file of a log is emptied when it is full.
        this.#gaps += 1;
        this.#offset = 0;
        this.#buffer = new EntryBuffer(0);
        continue;
      }
      this.#offset += bytesRead;
      const entries = this.#buffer.push(chunk.subarray(0, bytesRead));
      if (entries.length > 0) return entries;
    }
  }

  /** The file that was begun after the one being read; null when there is none. */
  async #newer(): Promise<OpenFile | null> {
    for (let look = 1; ; look++) {
      const files = filesOf(this.#path);
      const index = this.#file ? files.findIndex(({ inode }) => inode === this.#file?.inode) : files.length;
      const lost = index < 0 && files.length > 0;
      if (lost && look < LOOKS) continue;
      const next = lost ? files.at(-1) : files[index - 1];
      if (!next) return null;
      const opened = await openFile(next.path);
      if (opened?.inode === next.inode) {
        if (lost) this.#gaps += 1;
        return opened;
      }
      await opened?.handle.close();
    }
  }
}

/** Where the last `lines` lines of a file begin, and how many it has up to that number. */
async function lineStart(handle: FileHandle, lines: number): Promise<{ offset: number; lines: number }> {
  const { size } = await handle.stat();
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let seen = 0;
  for (let end = size; end > 0; ) {
    const start = Math.max(0, end - chunk.length);
    const { bytesRead } = await handle.read(chunk, 0, end - start, start);
    for (let at = bytesRead - 1; at >= 0; at--) {
      if (chunk[at] !== 10) continue;
      // The newline before the first of the wanted lines.
      if (seen === lines) return { offset: start + at + 1, lines };
      seen += 1;
    }
    end = start;
  }
  return { offset: 0, lines: seen };
}
