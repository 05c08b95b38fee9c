/**
 * Reading a tree that someone else may change meanwhile, by paths without links in them: a directory that is exchanged for
 * a symbolic link on the way leads nowhere, because the kernel follows none (lookup.ts). The only link that a
 * path may begin with is a descriptor of this process, as `/proc/self/fd/7/.`. A failed lookup is an error.
 */
import { type BigIntStats, closeSync, constants, fstatSync, lstatSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { TsdError } from '../../model/errors/errors.ts';
import { AT_FDCWD, find, OPEN_FLAGS } from './lookup.ts';
import { nameBatches } from './read-directory.ts';

/** include/uapi/linux/limits.h */
const PATH_MAX = 4096;
/** Bytes of a path that is too long. */
const SHOWN = 60;
const SLASH = '/'.charCodeAt(0);
const DESCRIPTOR = /^\/proc\/(?:self|\d+)\/fd\/(\d+)(?:\/\.)?(?:\/|$)/;

/** True for what the kernel cannot be asked about by its path; a tree may well be that deep. */
export const isTooDeep = (path: Buffer): boolean => path.length >= PATH_MAX;

/** @param path of which the beginning is shown */
export function tooDeep(path: string): TsdError {
  const message = `${path.slice(0, SHOWN)}… is nested deeper than a path of ${PATH_MAX} bytes can say`;
  return new TsdError('TSD_IMAGE_SOURCE', message, {
    step: 'read a tree',
    hint: 'Remove it, or move it up, by `cd` into one directory after the other.',
  });
}

/** @returns a close-on-exec descriptor; null when nothing is there, or a link is on the way or at the end. */
function findWithoutLinks(path: Buffer, flags: number): number | null {
  const start = DESCRIPTOR.exec(path.toString('latin1'));
  const rest = path.subarray(start === null ? 0 : start[0].length);
  const [at, way] =
    start === null ? ([AT_FDCWD, 'withoutLinks'] as const) : ([Number(start[1]), 'beneathWithoutLinks'] as const);
  return find(at, rest, way, flags | OPEN_FLAGS.noFollow);
}

/** @param use gets another path of the same file: its directory is held, so only the last name is looked up again. */
function inItsDirectory<T>(path: Buffer, gone: T, use: (held: Buffer) => T): T {
  const slash = path.lastIndexOf(SLASH);
  const flags = OPEN_FLAGS.path | OPEN_FLAGS.directory;
  const directory = findWithoutLinks(path.subarray(0, Math.max(1, slash)), flags);
  if (directory === null) return gone;
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

/** Names in a directory, unsorted, some hundred at a time; none when there is none, or a link on the way. */
export function* namesWithoutLinks(path: Buffer): Generator<Buffer[], undefined> {
  const directory = findWithoutLinks(path, OPEN_FLAGS.directory);
  if (directory === null) return;
  try {
    yield* nameBatches(directory);
  } finally {
    closeSync(directory);
  }
}

/** As {@link namesWithoutLinks}, with the kind of each entry; entries that vanish during the read are omitted. */
export function* filesWithoutLinks(path: Buffer): Generator<{ readonly name: Buffer; readonly stat: BigIntStats }> {
  const directory = findWithoutLinks(path, OPEN_FLAGS.directory);
  if (directory === null) return;
  const held = Buffer.from(`/proc/self/fd/${directory}/`);
  try {
    for (const names of nameBatches(directory)) {
      for (const name of names) {
        const stat = lstatSync(Buffer.concat([held, name]), { bigint: true, throwIfNoEntry: false });
        if (stat !== undefined) yield { name, stat };
      }
    }
  } finally {
    closeSync(directory);
  }
}

/** Opens a regular file to read it, and nothing that has taken its place; null when there is none. */
export async function openWithoutLinks(path: Buffer): Promise<FileHandle | null> {
  const fd = findWithoutLinks(path, OPEN_FLAGS.path);
  if (fd === null) return null;
  try {
    return fstatSync(fd).isFile() ? await open(`/proc/self/fd/${fd}`, constants.O_RDONLY) : null;
  } finally {
    closeSync(fd);
  }
}
