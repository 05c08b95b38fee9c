/** The disk with the code under test: this checkout, built, as the guest finds it at /opt/tsdocker. */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

const CHECKOUT = resolve(import.meta.dirname, '../../..');
const PARTS = ['bin', 'build/tsdocker-shim', 'dist', 'src', 'test', 'packaging', 'package.json', 'tsconfig.json'];
const CONFIGURATION = 'vitest.config.ts';
/** Of no use in the guest, and most of the bytes. */
const LEFT_OUT =
  /node_modules\/(@biomejs|typescript|knip|dependency-cruiser|oxc-parser|@oxc-parser|@types|\.vite)(\/|$)/;
/** Debian 13's Node, which the native modules of node_modules must be built for. */
const GUEST_ABI = '115';
const SIZE = '1G';

/**
 * Writes the disk to `path`; an ext4 of its own for each guest, because guests write to it.
 * @param debianPackage to be found as tsdocker.deb
 */
export function writePayload(path: string, debianPackage: string | null): void {
  if (process.versions.modules !== GUEST_ABI) {
    throw new Error(`the guest has Node 20; npm run e2e needs it here too, not ${process.version}`);
  }
  if (!existsSync(join(CHECKOUT, 'dist'))) throw new Error('run `npm run build` first');
  const stage = mkdtempSync('/var/tmp/tsd-payload-');
  try {
    mkdirSync(join(stage, 'build'));
    for (const part of [...PARTS, CONFIGURATION, 'node_modules']) {
      cpSync(join(CHECKOUT, part), join(stage, part), {
        recursive: true,
        verbatimSymlinks: true,
        filter: (from) => !LEFT_OUT.test(from),
      });
    }
    if (debianPackage !== null) cpSync(debianPackage, join(stage, 'tsdocker.deb'));
    execFileSync('mke2fs', ['-q', '-t', 'ext4', '-E', 'root_owner=0:0', '-d', stage, path, SIZE]);
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}
