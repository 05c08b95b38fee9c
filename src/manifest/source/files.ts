/** Reading files that others write, on a disk that may hold anything: never waits, never reads without bound. */
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readlinkSync, readSync } from 'node:fs';
import { type Gate, openJudged } from '../../ffi/files/gate.ts';
import { writerOf } from '../../ffi/files/lease.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { MAX_CONTENT_BYTES, type ReadResult } from '../content.ts';

/** Changes with every write, replacement and rename of a file. */
export type Signature = string;

export function signatureOf(stats: BigIntStats): Signature {
  return `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeNs}:${stats.ctimeNs}`;
}

function codeOf(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
  if (typeof code !== 'string') throw thrown;
  return code;
}

const MESSAGES: Readonly<Record<string, string>> = {
  ENOENT: 'no such file',
  ENOTDIR: 'no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  ELOOP: 'too many symbolic links',
};

function failure(path: string, thrown: unknown): ReadResult {
  if (thrown instanceof TsdError && thrown.code === 'TSD_UNTRUSTED') {
    return { ok: false, reason: 'untrusted', message: thrown.message, hint: thrown.hint };
  }
  const code = codeOf(thrown);
  const missing = code === 'ENOENT' || code === 'ENOTDIR';
  const notFile = code === 'EISDIR' || code === 'ENXIO' || code === 'ENODEV';
  const reason = missing ? 'missing' : notFile ? 'not-a-file' : 'unreadable';
  const target = missing ? linkTarget(path) : null;
  const what = target === null ? MESSAGES[code] : `a symbolic link to ${target}, which is not there`;
  return { ok: false, reason, message: `${path}: ${what ?? (notFile ? 'not a regular file' : code)}` };
}

function linkTarget(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}

/** All bytes of a regular file that is already known to be small. A file that grows meanwhile is cut at the limit. */
function readBytes(fd: number, size: number): Buffer {
  const buffer = Buffer.allocUnsafe(size + 1);
  let length = 0;
  while (length < buffer.length) {
    const read = readSync(fd, buffer, length, buffer.length - length, length);
    if (read === 0) break;
    length += read;
  }
  return buffer.subarray(0, length);
}

function readOpen(fd: number, path: string, maxBytes = MAX_CONTENT_BYTES): ReadResult {
  const stats = fstatSync(fd);
  if (!stats.isFile()) return { ok: false, reason: 'not-a-file', message: `${path}: not a regular file` };
  if (stats.size > maxBytes) {
    return { ok: false, reason: 'too-large', message: `${path}: larger than ${maxBytes / 1024 ** 2} MiB` };
  }
  const { mode, uid, gid } = stats;
  return { ok: true, bytes: readBytes(fd, stats.size), owner: { mode, uid, gid } };
}

// O_NONBLOCK: opening a FIFO without a writer returns at once.
const OPEN = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/** The checked inode is the one that is read, also when its path was replaced. */
function openFile(path: string, gate: Gate | null): number {
  if (gate === null) return openSync(path, OPEN);
  const fd = openJudged(path, gate, OPEN);
  if (fd === null) throw Object.assign(new Error(), { code: 'EISDIR' });
  return fd;
}

function withOpen<T>(path: string, gate: Gate | null, use: (fd: number) => T, failed: (thrown: unknown) => T): T {
  let fd: number;
  try {
    fd = openFile(path, gate);
  } catch (thrown) {
    return failed(thrown);
  }
  try {
    return use(fd);
  } catch (thrown) {
    return failed(thrown);
  } finally {
    closeSync(fd);
  }
}

/**
 * Reads a regular file, of at most 1 MiB by default; symbolic links are followed.
 * @param gate for a file that is obeyed; without it whoever wrote the file is trusted
 */
export function readContentFile(path: string, maxBytes?: number, gate: Gate | null = null): ReadResult {
  return withOpen(
    path,
    gate,
    (fd) => readOpen(fd, path, maxBytes),
    (thrown) => failure(path, thrown),
  );
}

/** A file that may still be in the process of being written. */
export type FinishedRead =
  /** It is open for writing, or it changed while it was read. */
  | { readonly state: 'unfinished' }
  /** Without leases only a longer time without change shows that the file is complete. */
  | { readonly state: 'unsure'; readonly result: ReadResult }
  | { readonly state: 'finished'; readonly result: ReadResult };

/** Reads a file unless it is open for writing. @param signature as the directory scan saw it. */
export function readFinishedFile(path: string, signature: Signature, gate: Gate | null): FinishedRead {
  return withOpen<FinishedRead>(
    path,
    gate,
    (fd) => {
      if (!fstatSync(fd).isFile()) return { state: 'finished', result: readOpen(fd, path) };
      const writer = writerOf(fd);
      if (writer === 'present') return { state: 'unfinished' };
      const result = readOpen(fd, path);
      if (signatureOf(fstatSync(fd, { bigint: true })) !== signature) return { state: 'unfinished' };
      return { state: writer === 'none' ? 'finished' : 'unsure', result };
    },
    (thrown) => ({ state: 'finished', result: failure(path, thrown) }),
  );
}
