/** A btrfs filesystem in a file, mounted for one test. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { temporaryDirectory } from './images.ts';

/** Smallest size that mkfs.btrfs takes with room for a test. */
const IMAGE_BYTES = 512 * 1024 ** 2;

export function canMountBtrfs(): boolean {
  const known = /^\s*btrfs$/m.test(readFileSync('/proc/filesystems', 'utf8'));
  return known && process.getuid?.() === 0 && spawnSync('mkfs.btrfs', ['--version']).error === undefined;
}

/** An empty directory on btrfs; `remove` unmounts and deletes it. */
export function temporaryBtrfs(): ReturnType<typeof temporaryDirectory> {
  const base = mkdtempSync('/tmp/tsd-test-');
  const image = join(base, 'image');
  const mount = join(base, 'mount');
  mkdirSync(mount);
  writeFileSync(image, '');
  truncateSync(image, IMAGE_BYTES);
  execFileSync('mkfs.btrfs', ['-q', image]);
  execFileSync('mount', ['-o', 'loop', image, mount]);
  const path = join(mount, 'root');
  mkdirSync(path);
  return {
    path,
    remove: () => {
      execFileSync('umount', [mount]);
      execFileSync('rm', ['-rf', base]);
    },
  };
}
