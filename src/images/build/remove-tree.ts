import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Deletes a directory of a build. By rm(1): an archive may hold trees that are deeper than node:fs can delete. */
export async function removeTree(path: string): Promise<void> {
  await run('rm', ['-rf', '--', path]);
}
