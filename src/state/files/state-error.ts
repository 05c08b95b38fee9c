import { constants } from 'node:os';
import { errnoName } from '../../ffi/call/errno.ts';
import { classOfErrnoName } from '../../model/errors/errno-classes.ts';
import { TsdError } from '../../model/errors/errors.ts';

const FULL: readonly (number | undefined)[] = [constants.errno.ENOSPC, constants.errno.EDQUOT];

/** An error of node:fs as a TsdError with its errno; other errors pass unchanged. */
export function toStateError(error: unknown, step: string): unknown {
  if (!(error instanceof Error) || error instanceof TsdError) return error;
  const { errno: negative, code, syscall } = error as NodeJS.ErrnoException;
  if (negative === undefined) return error;
  const errno = -negative;
  const isFull = FULL.includes(errno);
  const message = `${isFull ? 'the disk is full: ' : ''}${step}: ${code}`;
  return new TsdError(isFull ? 'TSD_DISK_FULL' : 'TSD_SYSCALL', message, {
    class: classOfErrnoName(errnoName(errno), syscall ?? ''),
    errno,
    step,
    cause: error,
  });
}
