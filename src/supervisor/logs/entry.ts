/** Entries of a json-file log, and where in the file each of them ends. */
import type { LogEntry } from '../../api/requests.ts';

/** An entry holds at most 16 KiB of payload, at most six bytes each when escaped. */
const MAX_ENTRY_BYTES = 128 * 1024;
/** Number of bytes before a position that are kept to recognise it. The end of an entry holds its time. */
const MARK_BYTES = 64;

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

/** An entry, and the place behind it. */
export interface PlacedEntry extends LogEntry {
  /** Bytes from the beginning of the file. */
  readonly end: number;
  /** The bytes of the file just before `end`, latin1. */
  readonly mark: string;
}

/** The mark of a place whose preceding bytes are these. */
export function markOf(before: Buffer): string {
  return before.toString('latin1', Math.max(0, before.length - MARK_BYTES));
}

/** Bytes to read before `offset` to compare with a mark. */
export function markLength(offset: number): number {
  return Math.min(offset, MARK_BYTES);
}

/** Cuts the bytes of a file into entries; what follows the last newline waits for more. */
export class EntryBuffer {
  #rest = Buffer.alloc(0);
  /** Where in the file the next byte comes from. */
  #offset: number;

  constructor(offset: number) {
    this.#offset = offset;
  }

  push(chunk: Buffer): PlacedEntry[] {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const begin = this.#offset - this.#rest.length;
    this.#offset += chunk.length;
    const entries: PlacedEntry[] = [];
    let start = 0;
    for (let end = data.indexOf(10, start); end >= 0; end = data.indexOf(10, start)) {
      const entry = parseEntry(data.toString('utf8', start, end));
      if (entry) {
        entries.push({
          ...entry,
          end: begin + end + 1,
          mark: markOf(data.subarray(Math.max(start, end + 1 - MARK_BYTES), end + 1)),
        });
      }
      start = end + 1;
    }
    // A damaged file without newlines must not grow in memory.
    const long = data.length - start > MAX_ENTRY_BYTES;
    this.#rest = long ? Buffer.alloc(0) : Buffer.from(data.subarray(start));
    return entries;
  }
}
