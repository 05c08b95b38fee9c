/** System calls by name. An answer that a race alone explains is not given to callers: see races.ts. */
import { constants } from 'node:os';
import { sysError } from './errno.ts';
import { systemCall } from './foreign.ts';
import { retriedCall } from './retry.ts';
import { SYSCALL_NUMBERS, type SyscallName } from './syscall-numbers.ts';
import type { NativeArgument } from './trace.ts';

/** Linux closes the descriptor and continues connecting whatever it answers: close(2), connect(2). */
const DONE_ALL_THE_SAME: ReadonlySet<SyscallName> = new Set<SyscallName>(['close', 'connect']);

/** syscall(2). Returns the result, or the negative errno. Never throws for an errno. */
export function trySyscall(name: SyscallName, ...args: NativeArgument[]): number {
  const number = SYSCALL_NUMBERS[name];
  const result = systemCall(number, args);
  if (result !== -constants.errno.EINTR || DONE_ALL_THE_SAME.has(name)) return result;
  return retriedCall('any system call', () => systemCall(number, args));
}

/**
 * syscall(2) that must succeed.
 * @param step what the call is for, in words for the error: `mount proc`.
 * @throws TsdError with errno and step.
 */
export function syscall(step: string, name: SyscallName, ...args: NativeArgument[]): number {
  const result = trySyscall(name, ...args);
  if (result < 0) throw sysError(name, -result, step);
  return result;
}
