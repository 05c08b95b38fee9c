/** Reports whether a file is open for writing: fcntl(2), "Leases". */
import { constants } from 'node:os';
import { sysError } from '../call/errno.ts';
import { trySyscall } from '../call/native.ts';

/** include/uapi/linux/fcntl.h, include/uapi/asm-generic/fcntl.h */
const F_SETSIG = 10;
const F_SETLEASE = 1024;
const F_RDLCK = 0;
const F_UNLCK = 2;

const { EAGAIN } = constants.errno;
/** What filesystems without leases answer: NFS, FUSE and others, or a file of another user without CAP_LEASE. */
const UNSUPPORTED: ReadonlySet<number> = new Set([
  constants.errno.EINVAL,
  constants.errno.EACCES,
  constants.errno.ENOLCK,
  constants.errno.EOPNOTSUPP,
]);

/**
 * Takes a read lease on an open regular file and gives it back: the kernel grants it only while no process has the file open
 * for writing. A writer that comes in between makes the kernel send a signal; SIGURG, which is ignored by default, is
 * asked for instead of SIGIO, which would end this process.
 * @param fd open for reading.
 * @returns `unknown` where the filesystem has no leases.
 */
export function writerOf(fd: number): 'none' | 'present' | 'unknown' {
  const chosen = trySyscall('fcntl', fd, F_SETSIG, constants.signals.SIGURG);
  if (chosen < 0) throw sysError('fcntl', -chosen, 'choose the signal of a lease');
  const taken = trySyscall('fcntl', fd, F_SETLEASE, F_RDLCK);
  if (taken === -EAGAIN) return 'present';
  if (UNSUPPORTED.has(-taken)) return 'unknown';
  if (taken < 0) throw sysError('fcntl', -taken, 'take a read lease');
  const given = trySyscall('fcntl', fd, F_SETLEASE, F_UNLCK);
  if (given < 0) throw sysError('fcntl', -given, 'give back a read lease');
  return 'none';
}
