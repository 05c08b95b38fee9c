/** Files with holes: where their data is, and copies that have the same holes. */
import {
  type BigIntStats,
  closeSync,
  constants,
  copyFileSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  writeSync,
} from 'node:fs';
import { constants as os } from 'node:os';
import { sysError } from '../call/errno.ts';
import { trySyscall } from '../call/native.ts';

/** include/uapi/linux/fs.h */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const FICLONE = 0x40049409;
const BLOCK_BYTES = 512n;
/** Copied between two steps. */
const PIECE_BYTES = 1024 * 1024;
/** Errors that say that the kernel does not copy between these two files itself: copy_file_range(2). */
const COPIES_NOT: ReadonlySet<number> = new Set([
  os.errno.EXDEV,
  os.errno.EINVAL,
  os.errno.ENOSYS,
  os.errno.EOPNOTSUPP,
]);

/** A part of a file that has data. */
export interface Stretch {
  readonly offset: number;
  readonly length: number;
}

/** True for a file that takes less of the disk than it is long. Compression looks the same. */
export const mayHaveHoles = ({ size, blocks }: Pick<BigIntStats, 'size' | 'blocks'>): boolean =>
  blocks * BLOCK_BYTES < size;

/** @returns null behind the last one. @throws TsdError with errno. */
function seek(fd: number, from: number, whence: number): number | null {
  const found = trySyscall('lseek', fd, from, whence);
  if (found >= 0) return found;
  if (found === -os.errno.ENXIO) return null;
  throw sysError('lseek', -found, 'look for holes in a file');
}

/**
 * The parts with data, in order. On a filesystem without holes that is the whole file.
 * @param leastHole a shorter hole counts as data: the kernel is asked twice for each.
 */
export function* dataStretches(fd: number, size: number, leastHole = 1): Generator<Stretch, undefined> {
  let waiting: Stretch | null = null;
  for (let at = 0; at < size; ) {
    const start = seek(fd, at, SEEK_DATA);
    if (start === null || start >= size) break;
    const end = Math.min(seek(fd, start, SEEK_HOLE) ?? size, size);
    if (waiting !== null && start - (waiting.offset + waiting.length) >= leastHole) {
      yield waiting;
      waiting = null;
    }
    const offset: number = waiting?.offset ?? start;
    waiting = { offset, length: end - offset };
    at = end;
  }
  if (waiting !== null) yield waiting;
}

/**
 * Copies a regular file, with its holes; blocks are shared where the filesystem can. In steps: a large file takes long.
 * @param to must not exist.
 */
export function* copyFile(from: Buffer, to: Buffer, stat: BigIntStats): Generator<void> {
  if (stat.size <= BigInt(PIECE_BYTES) && !mayHaveHoles(stat)) {
    copyFileSync(from, to, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    return;
  }
  const source = openSync(from, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const target = openSync(to, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    try {
      if (trySyscall('ioctl', target, FICLONE, source) < 0) yield* copyData(source, target);
    } finally {
      closeSync(target);
    }
  } finally {
    closeSync(source);
  }
}

function* copyData(source: number, target: number): Generator<void> {
  const size = fstatSync(source).size;
  ftruncateSync(target, size);
  for (const { offset, length } of dataStretches(source, size)) {
    for (let at = offset; at < offset + length; ) {
      const copied = copyPiece(source, target, at, Math.min(PIECE_BYTES, offset + length - at));
      // It became shorter.
      if (copied === 0) return;
      at += copied;
      yield;
    }
  }
}

function copyPiece(source: number, target: number, at: number, length: number): number {
  const [from, to] = [Buffer.alloc(8), Buffer.alloc(8)];
  from.writeBigInt64LE(BigInt(at));
  to.writeBigInt64LE(BigInt(at));
  const copied = trySyscall('copy_file_range', source, from, target, to, length, 0);
  if (copied >= 0) return copied;
  if (!COPIES_NOT.has(-copied)) throw sysError('copy_file_range', -copied, 'copy a file');
  const bytes = Buffer.allocUnsafe(length);
  const read = readSync(source, bytes, 0, length, at);
  for (let done = 0; done < read; ) done += writeSync(target, bytes, done, read - done, at + done);
  return read;
}
