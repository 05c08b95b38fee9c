import { constants } from 'node:os';
import { errnoName } from '../ffi/errno.ts';
import { classOfErrnoName } from '../model/errno-classes.ts';
import { TsdError } from '../model/errors.ts';

const FULL: readonly (number | undefined)[] = [constants.errno.ENOSPC, constants.errno.EDQUOT];

/** An error of node:fs as a TsdError with its errno; other errors pass unchanged. */
export function toStateError(error: unknown, step: string): unknown {
  if (!(error instanceof Error) || error instanceof TsdError) return error;
  const { errno: negative, code, syscall } = error as NodeJS.ErrnoException;
  if (negative === undefined) return error;
  const errno = -negative;
  return new TsdError(FULL.includes(errno) ? 'TSD_DISK_FULL' : 'TSD_SYSCALL', `${step}: ${code}`, {
    class: classOfErrnoName(errnoName(errno), syscall ?? ''),
    errno,
    step,
    cause: error,
  });
}
