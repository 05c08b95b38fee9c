import { existsSync, readFileSync, rmSync } from 'node:fs';
import { TsdError } from '../model/errors.ts';
import { rewriteInPlace } from './durable.ts';
import { errnoCode } from './state-file.ts';

export interface Pidfile {
  /** Removes the file if it still holds this process's pid. */
  release(): void;
}

function readPidfile(path: string): number | null {
  try {
    const pid = Number.parseInt(readFileSync(path, 'latin1'), 10);
    return pid > 0 ? pid : null;
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return null;
    throw new TsdError('TSD_FLAG', `pid file ${path} cannot be read: ${errnoCode(error)}`, { cause: error });
  }
}

/**
 * Writes this process's pid in decimal, without a newline, as Docker does. A file that names another living process is
 * an error; a stale one, or one that cannot be parsed, is replaced.
 * @throws TsdError TSD_LOCKED.
 */
export function claimPidfile(path: string): Pidfile {
  const holder = readPidfile(path);
  if (holder !== null && holder !== process.pid && existsSync(`/proc/${holder}`)) {
    throw new TsdError('TSD_LOCKED', `pid file found, ensure tsdocker is not running or delete ${path}`, {
      step: `pid file ${path}`,
      hint: `Process ${holder} is alive. Stop it if it is a supervisor; otherwise delete ${path}.`,
    });
  }
  rewriteInPlace(path, String(process.pid), 0o644);
  return {
    release() {
      if (readPidfile(path) === process.pid) rmSync(path, { force: true });
    },
  };
}
