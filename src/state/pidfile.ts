import { readFileSync, rmSync } from 'node:fs';
import { tryLockFile } from '../ffi/files/locks.ts';
import { TsdError } from '../model/errors/errors.ts';
import { errnoCode } from './files/state-file.ts';

export interface Pidfile {
  /** Removes the file if it still holds this process's pid. */
  release(): void;
}

const PIDFILE_MODE = 0o644;

function holds(path: string, pid: number): boolean {
  try {
    return readFileSync(path, 'latin1') === String(pid);
  } catch {
    return false;
  }
}

function lock(path: string): ReturnType<typeof tryLockFile> {
  try {
    return tryLockFile(path, PIDFILE_MODE);
  } catch (error) {
    const what = errnoCode(error) ?? String(error);
    throw new TsdError('TSD_FLAG', `pid file ${path} cannot be written: ${what}`, { cause: error });
  }
}

/**
 * Writes this process's pid in decimal, without a newline, as Docker does, and keeps the file locked: what a killed
 * supervisor left behind names a process that is gone, or by now another one.
 * @throws TsdError TSD_LOCKED when a supervisor that runs has it, TSD_FLAG.
 */
export function claimPidfile(path: string): Pidfile {
  const taken = lock(path);
  if (!taken.locked) {
    const holder = taken.holderPid === null ? 'Another supervisor' : `The supervisor with pid ${taken.holderPid}`;
    throw new TsdError('TSD_LOCKED', `pid file ${path} is in use`, {
      step: `pid file ${path}`,
      hint: `${holder} has it: stop that, or give this one its own --pidfile.`,
    });
  }
  return {
    release() {
      if (holds(path, process.pid)) rmSync(path, { force: true });
      taken.lock.release();
    },
  };
}
