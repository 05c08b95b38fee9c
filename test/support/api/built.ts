import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '../../..');
export const PROGRAM = join(ROOT, 'bin/tsdocker');

/** Builds what child processes run, unless a build is there. */
export function ensureBuilt(): void {
  if (existsSync(join(ROOT, 'dist/cli/index.js'))) return;
  execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: ROOT });
}
