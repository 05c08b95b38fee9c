/** The names in a directory as the kernel gives them, a piece at a time: a directory may hold a million. */
import { constants as os } from 'node:os';
import { sysError } from '../call/errno.ts';
import { trySyscall } from '../call/native.ts';

/** Some hundred names. */
const PIECE_BYTES = 32 * 1024;
/** struct linux_dirent64 of include/linux/dirent.h: where the length of a record stands, and its name. */
const RECORD_LENGTH_AT = 16;
const NAME_AT = 19;
const DOT = '.'.charCodeAt(0);

const isSelfOrParent = (name: Buffer): boolean =>
  name[0] === DOT && (name.length === 1 || (name.length === 2 && name[1] === DOT));

/**
 * Unsorted, without `.` and `..`. Entries created or removed during the read can be missing or present.
 * @param fd of a directory, opened to be read; it stays the caller's.
 * @throws TsdError with errno.
 */
export function* nameBatches(fd: number): Generator<Buffer[], undefined> {
  for (;;) {
    // Its own each time: the names are parts of it.
    const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    const length = trySyscall('getdents64', fd, piece, piece.length);
    // A directory that was removed meanwhile has no names any more.
    if (length === 0 || length === -os.errno.ENOENT) return;
    if (length < 0) throw sysError('getdents64', -length, 'read a directory');
    yield namesOf(piece.subarray(0, length));
  }
}

function namesOf(records: Buffer): Buffer[] {
  const names: Buffer[] = [];
  for (let at = 0; at < records.length; at += records.readUInt16LE(at + RECORD_LENGTH_AT)) {
    const from = at + NAME_AT;
    const name = records.subarray(from, records.indexOf(0, from));
    if (!isSelfOrParent(name)) names.push(name);
  }
  return names;
}
