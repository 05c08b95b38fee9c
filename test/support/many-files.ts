import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** On a filesystem in memory: a hundred thousand files take a second there. */
const MEMORY = '/dev/shm';

/** A directory in memory that {@link MemoryDirectory.remove} takes away. */
export interface MemoryDirectory {
  readonly path: string;
  remove(): void;
}

export function memoryDirectory(): MemoryDirectory {
  const path = mkdtempSync(join(MEMORY, 'tsdocker-test-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** More than a call takes as arguments. */
export const MANY = 125_000;

/** Empty files in a directory, which is made. */
export function makeFiles(directory: string, count = MANY): void {
  mkdirSync(directory, { recursive: true });
  for (let number = 0; number < count; number++) closeSync(openSync(join(directory, `file-${number}`), 'w'));
}
