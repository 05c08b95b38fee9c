/**
 * Opening files below a directory that somebody else filled, and read leases. Paths are looked up by the kernel with
 * openat2(2), so that no symbolic link, `..` or /proc magic link can leave the directory, whatever is renamed meanwhile.
 */
import { closeSync, constants as fsConstants, fsyncSync, openSync } from 'node:fs';
import { constants as os } from 'node:os';
import { sysError } from './errno.ts';
import { syscall, trySyscall } from './native.ts';

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

/** include/uapi/linux/openat2.h */
export const RESOLVE = { noMagicLinks: 0x02, noSymlinks: 0x04, beneath: 0x08, inRoot: 0x10 } as const;

/** sizeof(struct open_how), version 0 */
export const OPEN_HOW_BYTES = 24;

/** struct open_how of openat2(2): flags, mode 0, resolve. */
export function openHow(flags: number, resolve: number): Buffer {
  const how = Buffer.alloc(OPEN_HOW_BYTES);
  how.writeBigUInt64LE(BigInt(flags), 0);
  how.writeBigUInt64LE(BigInt(resolve), 16);
  return how;
}

function isAddressable(path: string): boolean {
  return !path.includes('\0');
}

/**
 * openat2(2) of `path` as if `rootFd` were `/`: absolute paths and links start there, `..` stops there.
 * @returns a close-on-exec descriptor, or the negative errno.
 */
export function tryOpenInRoot(rootFd: number, path: string, flags: number, resolve = 0): number {
  if (!isAddressable(path)) return -os.errno.EINVAL;
  const how = openHow(flags | OPEN_FLAGS.closeOnExec, resolve | RESOLVE.inRoot | RESOLVE.noMagicLinks);
  return trySyscall('openat2', rootFd, path === '' ? '.' : path, how, OPEN_HOW_BYTES);
}

/** As {@link tryOpenInRoot}. @throws TsdError with errno. */
export function openInRoot(step: string, rootFd: number, path: string, flags: number, resolve = 0): number {
  const fd = tryOpenInRoot(rootFd, path, flags, resolve);
  if (fd < 0) throw sysError('openat2', -fd, step);
  return fd;
}

/** mkdirat(2) of one name. An existing entry of that name, whatever it is, is no error. */
export function makeDirectoryAt(directoryFd: number, name: string, mode: number): void {
  if (!isAddressable(name)) throw sysError('mkdirat', os.errno.EINVAL, `create directory ${name}`);
  const result = trySyscall('mkdirat', directoryFd, name, mode);
  if (result < 0 && result !== -os.errno.EEXIST) throw sysError('mkdirat', -result, `create directory ${name}`);
}

/** Makes what was created, renamed or removed in a directory durable. */
export function syncDirectory(path: string): void {
  const fd = openSync(path, fsConstants.O_RDONLY | fsConstants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** The directory `path` as a place for {@link tryOpenInRoot}. The path itself is trusted. */
export function openDirectory(step: string, path: string): number {
  const how = openHow(OPEN_FLAGS.path | OPEN_FLAGS.directory | OPEN_FLAGS.closeOnExec, 0);
  return syscall(step, 'openat2', AT_FDCWD, path, how, OPEN_HOW_BYTES);
}
