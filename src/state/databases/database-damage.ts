/** What is wrong with the file of a database, in words that a person can act on. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';

/** Files of one database: itself, rollback journal, write-ahead log and its index. */
export const DATABASE_SUFFIXES = ['', '-journal', '-wal', '-shm'];

/** sqlite.org/fileformat.html, 1.3: the header, and the fields of it that are read here. */
const HEADER_BYTES = 100;
const MAGIC = 'SQLite format 3\0';
const PAGE_SIZE_OFFSET = 16;
const PAGE_COUNT_OFFSET = 28;
/** A page of 65536 bytes is written as 1. */
const LARGEST_PAGE = 65_536;

function headerOf(path: string): { readonly header: Buffer; readonly size: number } {
  const header = Buffer.alloc(HEADER_BYTES);
  const fd = openSync(path, 'r');
  try {
    readSync(fd, header, 0, HEADER_BYTES, 0);
    return { header, size: statSync(path).size };
  } finally {
    closeSync(fd);
  }
}

/**
 * What is wrong with the length or the beginning of the file, to be asked before SQLite opens it, which may write to it from
 * its log; null where neither is. It must not be open in this process: closing a descriptor gives up its locks. A log that was
 * left may hold what a truncated file lacks, so that this is no verdict on a file that SQLite reads.
 */
export function describeShape(path: string): string | null {
  const { header, size } = headerOf(path);
  if (size === 0) return 'is empty (0 bytes)';
  if (header.every((byte) => byte === 0)) return 'begins with zeros where the header of a database belongs';
  if (header.toString('latin1', 0, MAGIC.length) !== MAGIC) return 'is not a database';
  const raw = header.readUInt16BE(PAGE_SIZE_OFFSET);
  const expected = header.readUInt32BE(PAGE_COUNT_OFFSET) * (raw === 1 ? LARGEST_PAGE : raw);
  return size < expected ? `is truncated: it has ${size} of ${expected} bytes` : null;
}

/** True for a file without content that SQLite would take for a new database. */
export function isEmptyDatabase(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.size === 0;
}
