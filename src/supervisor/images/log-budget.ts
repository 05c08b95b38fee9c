/** What logs take, and which rotated ones go when that is too much. */
import { readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { ContainerStore } from '../../state/containers/containers.ts';

interface LogFile {
  readonly path: string;
  readonly bytes: number;
  readonly changedAtMs: number;
  /** 0 is the one that is written to; higher ones are older. */
  readonly number: number;
}

/** The log of a container and its rotated copies. */
export function logFiles(containers: Pick<ContainerStore, 'path'>, id: string): LogFile[] {
  const directory = containers.path(id);
  const live = `${id}-json.log`;
  let names: string[];
  try {
    names = readdirSync(directory);
  } catch {
    // Removed meanwhile.
    return [];
  }
  return names.flatMap((name) => {
    const suffix = name === live ? '.0' : name.startsWith(`${live}.`) ? name.slice(live.length) : '';
    const status = /^\.\d+$/.test(suffix) ? statSync(join(directory, name), { throwIfNoEntry: false }) : undefined;
    if (status === undefined) return [];
    const { size: bytes, mtimeMs: changedAtMs } = status;
    return [{ path: join(directory, name), bytes, changedAtMs, number: Number(suffix.slice(1)) }];
  });
}

/**
 * Rotated files to remove so that all together fit, oldest first. The live ones stay: they are bounded by themselves.
 * @internal
 */
export function logsOverBudget(files: readonly LogFile[], budget: number): readonly LogFile[] {
  let over = files.reduce((sum, { bytes }) => sum + bytes, 0) - budget;
  const oldestFirst = files
    .filter(({ number }) => number > 0)
    // Readers follow the numbers: of one log the highest goes first, which is also its oldest.
    .sort((a, b) => a.changedAtMs - b.changedAtMs || b.number - a.number);
  return oldestFirst.filter(({ bytes }) => {
    if (over <= 0) return false;
    over -= bytes;
    return true;
  });
}

/** Removes rotated logs beyond the budget. @returns bytes that became free. */
export function trimLogs(containers: Pick<ContainerStore, 'all' | 'path'>, budget: number): number {
  const files = containers.all().flatMap(({ id }) => logFiles(containers, id));
  const going = logsOverBudget(files, budget);
  for (const { path } of going) rmSync(path, { force: true });
  return going.reduce((sum, { bytes }) => sum + bytes, 0);
}
