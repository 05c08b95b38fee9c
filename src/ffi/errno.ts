import { constants } from 'node:os';
import type { ErrorClass } from '../model/error-class.ts';
import { TsdError } from '../model/errors.ts';

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, value]) => [value as number, name]),
);

/** `ENOENT` for 2; `errno 9999` for a number this libc has no name for. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

const { EPERM, EACCES, ENOENT, EEXIST, EBUSY, EAGAIN, EINTR, ENOMEM, ENOSPC, EDQUOT, EMFILE, ENFILE } = constants.errno;
const { ENAMETOOLONG, ENOSYS, EOPNOTSUPP, ENODEV, EPROTONOSUPPORT, EAFNOSUPPORT, EADDRINUSE, ENOTEMPTY, ETIMEDOUT } =
  constants.errno;

const CLASSES: ReadonlyMap<number, ErrorClass> = new Map([
  [EPERM, 'denied'],
  [EACCES, 'denied'],
  [ENOENT, 'precondition'],
  // Not absent: a tree may be deeper than a path can say.
  [ENAMETOOLONG, 'precondition'],
  [EEXIST, 'conflict'],
  [EADDRINUSE, 'conflict'],
  [ENOTEMPTY, 'conflict'],
  [EBUSY, 'unavailable'],
  [EAGAIN, 'unavailable'],
  [EINTR, 'unavailable'],
  [ENOMEM, 'exhausted'],
  [ENOSPC, 'exhausted'],
  [EDQUOT, 'exhausted'],
  [EMFILE, 'exhausted'],
  [ENFILE, 'exhausted'],
  [ENOSYS, 'unsupported'],
  [EOPNOTSUPP, 'unsupported'],
  [ENODEV, 'unsupported'],
  [EPROTONOSUPPORT, 'unsupported'],
  [EAFNOSUPPORT, 'unsupported'],
  [ETIMEDOUT, 'timeout'],
]);

/** The one place where an errno becomes a class; what is not listed is `unavailable` and is tried again. */
export function classOfErrno(errno: number): ErrorClass {
  return CLASSES.get(errno) ?? 'unavailable';
}

/** @param call name of the failed call; @param errno positive; @param step what it was for, in words. */
export function sysError(call: string, errno: number, step: string = call): TsdError {
  const code = errno === ENOSPC || errno === EDQUOT ? 'TSD_DISK_FULL' : 'TSD_SYSCALL';
  return new TsdError(code, `${step}: ${errnoName(errno)} (${call})`, { class: classOfErrno(errno), errno, step });
}
