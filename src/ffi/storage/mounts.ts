/**
 * The descriptor-based mount API of fsopen(2), fsmount(2), open_tree(2), and the constants that mount programs need.
 * Mounts made here are detached: no process sees them until their descriptor is attached somewhere, and they are gone with
 * the last descriptor.
 */
import { closeSync, mkdirSync, readFileSync } from 'node:fs';
import { TsdError } from '../../model/errors/errors.ts';
import { sysError } from '../call/errno.ts';
import { syscall, trySyscall } from '../call/native.ts';
import { AT_FDCWD } from '../files/lookup.ts';

/** include/uapi/linux/mount.h, for mount(2) */
export const MS = {
  readOnly: 0x1,
  noSuid: 0x2,
  noDev: 0x4,
  noExec: 0x8,
  remount: 0x20,
  noAtime: 0x400,
  noDirAtime: 0x800,
  bind: 0x1000,
  recursive: 0x4000,
  private: 0x40000,
  slave: 0x80000,
  shared: 0x100000,
  relAtime: 0x200000,
  strictAtime: 0x1000000,
} as const;

/** include/uapi/linux/mount.h, for mount_setattr(2) */
export const MOUNT_ATTR = { readOnly: 0x1, noSuid: 0x2, noDev: 0x4, noExec: 0x8 } as const;

/** include/uapi/linux/mount.h, include/uapi/linux/fcntl.h */
export const OPEN_TREE = { clone: 0x1, closeOnExec: 0o2000000, recursive: 0x8000, emptyPath: 0x1000 } as const;
export const MOVE_MOUNT = { fromEmptyPath: 0x4, toEmptyPath: 0x40, beneath: 0x200 } as const;
export const AT_EMPTY_PATH = 0x1000;
export const AT_RECURSIVE = 0x8000;
export const UMOUNT_DETACH = 2;
export const UMOUNT_NOFOLLOW = 8;

/** sizeof(struct mount_attr), version 0 */
export const MOUNT_ATTR_BYTES = 32;

/** struct mount_attr of mount_setattr(2): attributes to set, and the propagation; 0 leaves that as it is. */
export function mountAttributes(set: number, propagation: number = MS.private): Buffer {
  const attributes = Buffer.alloc(MOUNT_ATTR_BYTES);
  attributes.writeBigUInt64LE(BigInt(set), 0);
  attributes.writeBigUInt64LE(BigInt(propagation), 16);
  return attributes;
}

/** include/uapi/linux/mount.h: enum fsconfig_command and flags of fsopen and fsmount */
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
/** fs/fsopen.c: the longest string that FSCONFIG_SET_STRING takes, without its NUL */
const FSCONFIG_STRING_MAX = 255;

/** What the filesystem wrote into its context's log, one message a line, or ''. */
function contextLog(contextFd: number): string {
  const lines: string[] = [];
  const buffer = Buffer.alloc(1024);
  for (;;) {
    const length = trySyscall('read', contextFd, buffer, buffer.length);
    if (length <= 0) return lines.join('; ');
    lines.push(buffer.toString('utf8', 0, length).trim());
  }
}

/**
 * Whether /proc/filesystems has a filesystem, as proc_filesystems(5) says: a name a line, `nodev` and a tab before it.
 * @internal
 */
export const listsFilesystem = (table: string, name: string): boolean =>
  table.split('\n').some((line) => line.split('\t')[1] === name);

/** Whether the kernel has a filesystem, as a module that it can load too. */
export function hasFilesystem(name: string): boolean {
  // Asking for it is what makes the kernel load a module.
  const context = trySyscall('fsopen', name, FSOPEN_CLOEXEC);
  if (context >= 0) closeSync(context);
  return listsFilesystem(readFileSync('/proc/filesystems', 'utf8'), name);
}

/**
 * Makes a detached mount of a filesystem that has no device.
 * @param options in order; a name can appear there more than once.
 * @param attributes {@link MOUNT_ATTR}
 * @throws TsdError with errno, and the kernel's own words where it has some.
 */
export function mountDetached(
  step: string,
  filesystem: string,
  options: readonly (readonly [name: string, value: string])[],
  attributes = 0,
): number {
  const context = syscall(step, 'fsopen', filesystem, FSOPEN_CLOEXEC);
  const check = (result: number, what: string) => {
    if (result >= 0) return;
    const words = contextLog(context);
    throw sysError('fsconfig', -result, words === '' ? `${step}: ${what}` : `${step}: ${what}: ${words}`);
  };
  try {
    for (const [name, value] of options) {
      if (value.length > FSCONFIG_STRING_MAX) {
        throw new TsdError('TSD_UNSUPPORTED_HOST', `${step}: ${value} is longer than ${FSCONFIG_STRING_MAX} bytes`, {
          step,
          hint: 'Use a shorter --root.',
        });
      }
      check(trySyscall('fsconfig', context, FSCONFIG_SET_STRING, name, value, 0), `${name}=${value}`);
    }
    check(trySyscall('fsconfig', context, FSCONFIG_CMD_CREATE, null, null, 0), 'create');
    return syscall(step, 'fsmount', context, FSMOUNT_CLOEXEC, attributes);
  } finally {
    closeSync(context);
  }
}

/** A detached copy of what is mounted at `path`, without the mounts below it. */
export function cloneMount(step: string, path: string): number {
  return syscall(step, 'open_tree', AT_FDCWD, path, OPEN_TREE.clone | OPEN_TREE.closeOnExec);
}

/** One call of mount(2). */
export interface MountCall {
  readonly source: string;
  readonly filesystem: string;
  /** {@link MS} */
  readonly flags: number;
  readonly data: string;
}

/**
 * What the descriptor-based calls cannot make, as a detached mount: options that are added to a mounted filesystem, or a
 * part of one (a part of a detached mount can be cloned from Linux 6.15 on). It is mounted at `place`, cloned and taken
 * away again before anything else in this process runs.
 * @param place a directory for nothing else; it is made.
 * @param subdirectory of what is mounted; empty for the whole.
 */
export function mountInPassing(step: string, place: string, calls: readonly MountCall[], subdirectory: string): number {
  mkdirSync(place, { recursive: true, mode: 0o700 });
  // What a predecessor left that was killed in the middle.
  while (trySyscall('umount2', place, UMOUNT_DETACH) === 0);
  try {
    for (const { source, filesystem, flags, data } of calls) {
      syscall(step, 'mount', source, place, filesystem, flags, data);
    }
    return cloneMount(step, subdirectory === '' ? place : `${place}/${subdirectory}`);
  } finally {
    trySyscall('umount2', place, UMOUNT_DETACH);
  }
}
