/**
 * What image layers need of the filesystem and node:fs does not offer: device nodes, extended attributes, timestamps to
 * the nanosecond. Paths may be Buffers, because file names in a layer are bytes. Nothing here follows a final symlink.
 */
import { constants } from 'node:os';
import type { TsdError } from '../../model/errors/errors.ts';
import { sysError } from '../call/errno.ts';
import { syscall, trySyscall } from '../call/native.ts';
import { AT_FDCWD } from './lookup.ts';

export type BytePath = string | Buffer;

/** include/uapi/linux/fcntl.h */
const AT_SYMLINK_NOFOLLOW = 0x100;
/** include/uapi/linux/limits.h */
const XATTR_SIZE_MAX = 65536;

function cString(path: BytePath): Buffer {
  const bytes = typeof path === 'string' ? Buffer.from(path) : path;
  return Buffer.concat([bytes, Buffer.alloc(1)]);
}

/** A failure of node:fs as a TsdError with errno; anything else is returned as it is. */
export function fileError(thrown: unknown, step: string): unknown {
  if (!(thrown instanceof Error)) return thrown;
  const { errno, syscall: call } = thrown as NodeJS.ErrnoException;
  if (errno === undefined || call === undefined) return thrown;
  return sysError(call, -errno, step);
}

/** mknod(2). `mode` has the file type in it. The device number is packed as in include/linux/kdev_t.h. */
export function makeNode(path: BytePath, mode: number, major: number, minor: number): void {
  const device = (minor & 0xff) + major * 0x100 + (minor & 0xfff00) * 0x1000;
  syscall('mknod', 'mknodat', AT_FDCWD, cString(path), mode, device);
}

/**
 * Sets one extended attribute.
 * @returns null, or the error when the filesystem or the kernel does not take it.
 */
export function trySetXattr(path: BytePath, name: string, value: Buffer): TsdError | null {
  const bytes = value.length === 0 ? Buffer.alloc(1) : value;
  const result = trySyscall('lsetxattr', cString(path), name, bytes, value.length, 0);
  return result < 0 ? sysError('lsetxattr', -result, `set ${name}`) : null;
}

/** Sets one extended attribute. @throws TsdError with errno. */
export function setXattr(path: BytePath, name: string, value: Buffer): void {
  const error = trySetXattr(path, name, value);
  if (error !== null) throw error;
}

const listBuffer = Buffer.alloc(XATTR_SIZE_MAX);

/** Names and values of all extended attributes; empty where the filesystem has none. */
export function readXattrs(path: BytePath): Map<string, Buffer> {
  const target = cString(path);
  const length = trySyscall('llistxattr', target, listBuffer, listBuffer.length);
  const found = new Map<string, Buffer>();
  if (length === 0 || length === -constants.errno.EOPNOTSUPP) return found;
  if (length < 0) throw sysError('llistxattr', -length, 'list extended attributes');
  const names = listBuffer
    .toString('utf8', 0, length)
    .split('\0')
    .filter((name) => name !== '');
  for (const name of names.sort()) {
    const size = trySyscall('lgetxattr', target, name, listBuffer, listBuffer.length);
    if (size === -constants.errno.ENODATA) continue;
    if (size < 0) throw sysError('lgetxattr', -size, `read ${name}`);
    found.set(name, Buffer.from(listBuffer.subarray(0, size)));
  }
  return found;
}

const timesBuffer = Buffer.alloc(64);

/** Sets the modification time, and the access time to the same. Seconds may be negative. */
export function setTimes(path: BytePath, seconds: number, nanoseconds: number): void {
  for (const at of [0, 16]) {
    timesBuffer.writeBigInt64LE(BigInt(seconds), at);
    timesBuffer.writeBigInt64LE(BigInt(nanoseconds), at + 8);
  }
  syscall('set times', 'utimensat', AT_FDCWD, cString(path), timesBuffer, AT_SYMLINK_NOFOLLOW);
}

const dirents = Buffer.alloc(4096);

/**
 * Whether the directory's filesystem says what type its entries are (d_type of linux_dirent64, getdents64(2));
 * overlayfs needs that. The directory must hold a regular file and nothing else.
 */
export function reportsEntryTypes(directoryFd: number): boolean {
  const DT_REG = 8;
  const length = syscall('read directory', 'getdents64', directoryFd, dirents, dirents.length);
  for (let at = 0; at < length; at += dirents.readUInt16LE(at + 16)) {
    if (dirents.readUInt8(at + 18) === DT_REG) return true;
  }
  return false;
}
