/** Control group directories and their files. */
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sysError } from '../../../../ffi/call/errno.ts';
import { TsdError } from '../../../../model/errors/errors.ts';

export function errnoOf(thrown: unknown): { code: string; errno: number } | null {
  const { code, errno } = (thrown ?? {}) as NodeJS.ErrnoException;
  return code === undefined || errno === undefined ? null : { code, errno: -errno };
}

/** What a group answers that is removed while it is read. */
export const GONE: ReadonlySet<string> = new Set(['ENOENT', 'ENODEV']);

/** Writes a control file. @throws TsdError with errno, naming the file and the value. */
export function writeControl(path: string, value: string): void {
  try {
    // Control files exist or do not: one that is missing must not be created.
    writeFileSync(path, value, { flag: 'r+' });
  } catch (thrown) {
    const error = errnoOf(thrown);
    if (error === null) throw thrown;
    throw sysError('write', error.errno, `write ${value.trim()} to ${path}`);
  }
}

/** True when this call made it. */
export function makeGroup(path: string): boolean {
  try {
    mkdirSync(path);
    return true;
  } catch (thrown) {
    const error = errnoOf(thrown);
    if (error?.code === 'EEXIST') return false;
    if (error === null) throw thrown;
    throw sysError('mkdir', error.errno, `create control group ${path}`);
  }
}

/** Removes a group that holds nothing; one with processes or groups stays. @returns true when it was removed now. */
export function removeEmptyGroup(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) === null) throw thrown;
    return false;
  }
}

/** The value of `key` in a flat keyed file (`oom_kill 1`), 0 when the file or the key is missing. */
export function keyedValue(path: string, key: string): number {
  if (!existsSync(path)) return 0;
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const [name, value] = line.split(' ');
    if (name === key) return Number(value);
  }
  return 0;
}

/** Pids in a group, as this process's pid namespace has them. */
export function groupPids(path: string): readonly number[] {
  return readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number);
}

const POLL_MS = 2;
const GIVE_UP_MS = 10_000;

/**
 * Waits for a state of the kernel that no descriptor announces.
 * @param what is not reached, in words
 * @throws TsdError TSD_TIMEOUT after ten seconds.
 */
export async function waitForGroup(
  what: () => string | Promise<string>,
  reached: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + GIVE_UP_MS;
  while (!(await reached())) {
    if (performance.now() > deadline) {
      throw new TsdError('TSD_TIMEOUT', `${await what()}: not within ${GIVE_UP_MS / 1000} s`);
    }
    await new Promise((wake) => setTimeout(wake, POLL_MS));
  }
}
