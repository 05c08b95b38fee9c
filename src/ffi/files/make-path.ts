import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * As mkdir -p. Node's own recursion tries without end where a directory takes no entries, as /proc does (ENOENT).
 * @throws the error of mkdir(2).
 */
export function makePath(path: string, mode: number): void {
  const parent = dirname(path);
  if (parent !== path && !existsSync(parent)) makePath(parent, mode);
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
