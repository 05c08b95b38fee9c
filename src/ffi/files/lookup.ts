/**
 * Looking a path up below a directory that someone else fills: by the kernel alone (openat2(2)), so that no symbolic link,
 * `..` or magic link of /proc leads out of it, whatever is renamed meanwhile. All such lookups are made here. What a race
 * answers is tried again (races.ts), and only what is not there is absent: a failed lookup says nothing about the file.
 */
import { constants as fsConstants } from 'node:fs';
import { constants as os } from 'node:os';
import type { Moment } from '../../model/errors/errno-classes.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { sysError } from '../call/errno.ts';
import { syscall } from '../call/native.ts';
import { RACES } from '../call/races.ts';
import { retriedCall } from '../call/retry.ts';
import { OPEN_HOW_BYTES, OPENAT2, openat2, openHow, RESOLVE } from './openat2.ts';

/** include/uapi/linux/fcntl.h */
export const AT_FDCWD = -100;

/** include/uapi/asm-generic/fcntl.h; the three that differ by architecture come from node:fs. */
export const OPEN_FLAGS = {
  path: 0o10000000,
  closeOnExec: 0o2000000,
  directory: fsConstants.O_DIRECTORY,
  noFollow: fsConstants.O_NOFOLLOW,
  nonBlock: fsConstants.O_NONBLOCK,
} as const;

/** Where a lookup may lead. */
const WAYS = {
  /** As if the directory were `/`: absolute paths and links start there, `..` stops there. */
  inRoot: RESOLVE.inRoot | RESOLVE.noMagicLinks,
  inRootWithoutLinks: RESOLVE.inRoot | RESOLVE.noMagicLinks | RESOLVE.noSymlinks,
  /** Paths that lead out of the directory are an error. */
  beneathWithoutLinks: RESOLVE.beneath | RESOLVE.noMagicLinks | RESOLVE.noSymlinks,
  withoutLinks: RESOLVE.noMagicLinks | RESOLVE.noSymlinks,
  withoutMagicLinks: RESOLVE.noMagicLinks,
  /** Anywhere: the path is our own. */
  trusted: 0,
} as const;

export type LookupWay = keyof typeof WAYS;

/** The only answers that say that nothing is there; without links, ELOOP says that a link is in the place. */
const ABSENT: ReadonlySet<number> = new Set([os.errno.ENOENT, os.errno.ENOTDIR, os.errno.ELOOP]);
const RACING: ReadonlySet<number> = new Set([os.errno.EAGAIN, os.errno.EINTR]);

/** Whether an error says that nothing is there; any other says nothing about it. */
export function saysAbsent(error: unknown): boolean {
  return error instanceof TsdError && error.errno !== undefined && ABSENT.has(error.errno);
}

/** Bytes are passed on as they are; a string is UTF-8. */
export type LookupPath = string | Buffer;

/** The error of a lookup that failed. @param step what it was for, in words. */
export function lookupError(step: string, errno: number, moment: Moment = 'before'): TsdError {
  if (!RACING.has(errno)) return sysError('openat2', errno, step, moment);
  const message =
    `${step}: it could not be looked up, which does not mean that it is not there: ${RACES.openat2.retried.tries} tries or ` +
    `${RACES.openat2.retried.cpuMs} ms were not enough, because files are renamed or mounted on this host without a pause`;
  return new TsdError('TSD_LOOKUP', message, { step, errno });
}

function tryOnce(at: number, path: LookupPath, how: Buffer): number {
  // Node hands a string to C, where it ends at its first NUL; no name has one.
  if (path.includes('\0')) return -os.errno.ENOENT;
  const isEmpty = path.length === 0;
  if (typeof path === 'string') return openat2(at, isEmpty ? '.' : path, how);
  return openat2(at, Buffer.concat([isEmpty ? Buffer.from('.') : path, Buffer.alloc(1)]), how);
}

const describe = (path: LookupPath): string => `look up ${path.toString()}`;

/**
 * Opens what is at a path.
 * @param at descriptor of a directory, or {@link AT_FDCWD}
 * @param flags of open(2). What opening may act on, block or fail at is opened by `path`, and again when it is known.
 * @returns a close-on-exec descriptor; null when nothing is there
 * @throws TSD_LOOKUP, class unavailable, when that could not be found out; TsdError with errno for any other answer
 */
export function find(
  at: number,
  path: LookupPath,
  way: LookupWay,
  flags: number,
  step = describe(path),
): number | null {
  const how = openHow(flags | OPEN_FLAGS.closeOnExec, WAYS[way]);
  const fd = retriedCall('openat2', () => tryOnce(at, path, how));
  if (fd >= 0) return fd;
  if (ABSENT.has(-fd)) return null;
  throw lookupError(step, -fd);
}

/** include/uapi/linux/limits.h */
const PATH_MAX = 4096;

/** What the symbolic link itself leads to that a descriptor holds: its name may mean something else by now (readlinkat(2)). */
export function linkTarget(fd: number): Buffer {
  const target = Buffer.alloc(PATH_MAX);
  const length = syscall('read a link', 'readlinkat', fd, '', target, target.length);
  return target.subarray(0, length);
}

/** As {@link find} for what has to be there. @throws TsdError ENOENT when it is not. */
export function open(step: string, at: number, path: LookupPath, way: LookupWay, flags: number): number {
  const how = openHow(flags | OPEN_FLAGS.closeOnExec, WAYS[way]);
  const fd = retriedCall('openat2', () => tryOnce(at, path, how));
  if (fd < 0) throw lookupError(step, -fd);
  return fd;
}

/** The directory `path` as a place to look in. The path itself is trusted. */
export function openDirectory(step: string, path: string): number {
  return open(step, AT_FDCWD, path, 'trusted', OPEN_FLAGS.path | OPEN_FLAGS.directory);
}

/** A lookup as a call of a program that a shim carries out. */
export interface LookupCall {
  readonly nr: number;
  readonly how: Buffer;
  readonly howBytes: number;
}

/** @param flags of open(2); close-on-exec is added. */
export function lookupCall(way: LookupWay, flags: number): LookupCall {
  return { nr: OPENAT2, how: openHow(flags | OPEN_FLAGS.closeOnExec, WAYS[way]), howBytes: OPEN_HOW_BYTES };
}
