import { constants } from 'node:os';
import { classOfErrnoName, type Moment } from '../../model/errors/errno-classes.ts';
import { TsdError } from '../../model/errors/errors.ts';

const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, value]) => [value as number, name]),
);

/** `ENOENT` for 2; `errno 9999` for a number this libc has no name for. */
export function errnoName(errno: number): string {
  return NAMES.get(errno) ?? `errno ${errno}`;
}

const { ENOSPC, EDQUOT } = constants.errno;

/**
 * @param call name of the failed call; @param errno positive; @param step what it was for, in words;
 * @param moment `launch` in the program of a shim.
 */
export function sysError(call: string, errno: number, step: string = call, moment: Moment = 'before'): TsdError {
  const code = errno === ENOSPC || errno === EDQUOT ? 'TSD_DISK_FULL' : 'TSD_SYSCALL';
  const name = errnoName(errno);
  return new TsdError(code, `${step}: ${name} (${call})`, { class: classOfErrnoName(name, call, moment), errno, step });
}
