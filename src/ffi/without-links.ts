/**
 * Reading a tree that somebody else may change meanwhile, by paths without links in them: a directory that is exchanged for
 * a symbolic link on the way leads nowhere, because the kernel follows none (openat2(2), RESOLVE_NO_SYMLINKS). The only
 * link that a path may begin with is a descriptor of this process, as `/proc/self/fd/7/.`.
 */
import { type BigIntStats, closeSync, constants, fstatSync, lstatSync, readdirSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { constants as os } from 'node:os';
import { sysError } from './errno.ts';
import { AT_FDCWD, OPEN_FLAGS, OPEN_HOW_BYTES, openHow, RESOLVE } from './files.ts';
import { trySyscall } from './native.ts';

/** include/uapi/linux/limits.h */
export const PATH_MAX = 4096;
const SLASH = '/'.charCodeAt(0);
const DESCRIPTOR = /^\/proc\/(?:self|\d+)\/fd\/(\d+)(?:\/\.)?(?:\/|$)/;

/** What a lookup says when nothing is there, or something else than a moment ago. */
const GONE: ReadonlySet<number> = new Set([os.errno.ENOENT, os.errno.ENOTDIR, os.errno.ELOOP, os.errno.ENAMETOOLONG]);

/** @returns a close-on-exec descriptor, or the negative errno; -ELOOP for a link on the way or at the end. */
function tryOpen(path: Buffer, flags: number): number {
  if (path.length >= PATH_MAX) return -os.errno.ENAMETOOLONG;
  const start = DESCRIPTOR.exec(path.toString('latin1'));
  const rest = path.subarray(start === null ? 0 : start[0].length);
  const name = Buffer.concat([rest.length === 0 ? Buffer.from('.') : rest, Buffer.alloc(1)]);
  const resolve = RESOLVE.noSymlinks | RESOLVE.noMagicLinks | (start === null ? 0 : RESOLVE.beneath);
  const how = openHow(flags | OPEN_FLAGS.noFollow | OPEN_FLAGS.closeOnExec, resolve);
  return trySyscall('openat2', start === null ? AT_FDCWD : Number(start[1]), name, how, OPEN_HOW_BYTES);
}

/** @param use gets another path of the same file: its directory is held, so only the last name is looked up again. */
function inItsDirectory<T>(path: Buffer, gone: T, use: (held: Buffer) => T): T {
  const slash = path.lastIndexOf(SLASH);
  const directory = tryOpen(path.subarray(0, Math.max(1, slash)), OPEN_FLAGS.path | OPEN_FLAGS.directory);
  if (GONE.has(-directory)) return gone;
  if (directory < 0) throw sysError('openat2', -directory, `look up ${path.toString()}`);
  try {
    return use(Buffer.concat([Buffer.from(`/proc/self/fd/${directory}`), path.subarray(slash)]));
  } finally {
    closeSync(directory);
  }
}

/** The file itself, not what a link leads to; null when nothing is there or a link is on the way. */
export function statWithoutLinks(path: Buffer): BigIntStats | null {
  return inItsDirectory(path, null, (held) => lstatSync(held, { bigint: true, throwIfNoEntry: false }) ?? null);
}

/** Attributes or the target of a file, read by a function that follows no last link; null when it is gone. */
export function readWithoutLinks<T>(path: Buffer, read: (held: Buffer) => T): T | null {
  return inItsDirectory<T | null>(path, null, read);
}

/** Names in a directory, unsorted; null when there is none, or a link on the way. */
export function namesWithoutLinks(path: Buffer): Buffer[] | null {
  const directory = tryOpen(path, OPEN_FLAGS.directory);
  if (GONE.has(-directory)) return null;
  if (directory < 0) throw sysError('openat2', -directory, `list ${path.toString()}`);
  try {
    return readdirSync(`/proc/self/fd/${directory}`, { encoding: 'buffer' });
  } finally {
    closeSync(directory);
  }
}

/** Opens a regular file to read it, and nothing that has taken its place; null when there is none. */
export async function openWithoutLinks(path: Buffer): Promise<FileHandle | null> {
  const fd = tryOpen(path, OPEN_FLAGS.path);
  if (GONE.has(-fd)) return null;
  if (fd < 0) throw sysError('openat2', -fd, `open ${path.toString()}`);
  try {
    return fstatSync(fd).isFile() ? await open(`/proc/self/fd/${fd}`, constants.O_RDONLY) : null;
  } finally {
    closeSync(fd);
  }
}
