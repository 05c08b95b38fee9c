/** Subvolumes of btrfs by ioctl(2): include/uapi/linux/btrfs.h. */
import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { syscall } from '../call/native.ts';
import { fileError } from '../files/layer-files.ts';

/** _IOW(BTRFS_IOCTL_MAGIC 0x94, nr, 4096 bytes) */
const SUBVOL_CREATE = 0x5000940e;
const SNAP_DESTROY = 0x5000940f;
const SNAP_CREATE_V2 = 0x50009417;

/** sizeof struct btrfs_ioctl_vol_args and struct btrfs_ioctl_vol_args_v2 */
const ARGUMENT_BYTES = 4096;
/** Offset of `name` in each of them. */
const NAME_OFFSET = 8;
const NAME_OFFSET_V2 = 56;
/** BTRFS_VOL_NAME_MAX */
const NAME_MAX = 255;

function withDirectory<T>(path: string, use: (fd: number) => T): T {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  } catch (thrown) {
    throw fileError(thrown, `open ${path}`);
  }
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

function named(path: string, offset: number): Buffer {
  const name = Buffer.from(basename(path));
  if (name.length > NAME_MAX) throw new RangeError(`a subvolume name of ${name.length} bytes`);
  const argument = Buffer.alloc(ARGUMENT_BYTES);
  name.copy(argument, offset);
  return argument;
}

/** Makes an empty subvolume. @throws TsdError with errno: ENOTTY where the filesystem is not btrfs, EEXIST. */
export function createSubvolume(path: string): void {
  withDirectory(dirname(path), (parent) =>
    syscall('create subvolume', 'ioctl', parent, SUBVOL_CREATE, named(path, NAME_OFFSET)),
  );
}

/** Makes a writable snapshot of the subvolume `from`; subvolumes inside it are empty directories there. */
export function snapshotSubvolume(from: string, to: string): void {
  withDirectory(from, (source) =>
    withDirectory(dirname(to), (parent) => {
      const argument = named(to, NAME_OFFSET_V2);
      argument.writeBigInt64LE(BigInt(source), 0);
      syscall('snapshot subvolume', 'ioctl', parent, SNAP_CREATE_V2, argument);
    }),
  );
}

/** Deletes a subvolume with all its files, in the time of one call. @throws TsdError ENOTEMPTY when it holds another. */
export function destroySubvolume(path: string): void {
  withDirectory(dirname(path), (parent) =>
    syscall('destroy subvolume', 'ioctl', parent, SNAP_DESTROY, named(path, NAME_OFFSET)),
  );
}
