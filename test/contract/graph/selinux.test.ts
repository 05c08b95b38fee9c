import { execFileSync } from 'node:child_process';
import { resolve } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canMountBtrfs, temporaryBtrfs } from '../../support/btrfs.ts';

const DRIVERS = resolve(import.meta.dirname, '../../../src/drivers');
const LOADER = resolve(import.meta.dirname, '../../support/run-typescript.mjs');

/** What is chosen for a root directory when btrfs is asked for, when nothing is, and when btrfs holds its images. */
const SCRIPT = `
  import { mkdirSync } from 'node:fs';
  import { openGraphDriver } from '${DRIVERS}/graph/open.ts';
  import { GRAPH_DRIVERS } from '${DRIVERS}/registry.ts';
  const root = process.argv[1];
  const choose = (requested, ids) => {
    try {
      return openGraphDriver({ drivers: GRAPH_DRIVERS, root, requested, options: [], graphIds: new Set(ids) }).name;
    } catch ({ code, message }) { return code + ': ' + message; }
  };
  const answers = [choose('btrfs', []), choose(null, [])];
  mkdirSync(root + '/btrfs/subvolumes/layer', { recursive: true });
  console.log(JSON.stringify([...answers, choose(null, ['layer'])]));`;

/** Runs it where SELinux' filesystem can be seen, as on a host with SELinux. */
function answersWithSelinux(root: string): string[] {
  const inside =
    'mount -t tmpfs none /sys/fs && mkdir /sys/fs/selinux && echo 0 > /sys/fs/selinux/enforce && exec "$@"';
  const node = [process.execPath, '--import', LOADER, '--input-type=module', '-e', SCRIPT, root];
  const unshare = ['-m', '--propagation', 'private', 'sh', '-c', inside, 'sh', ...node];
  return JSON.parse(execFileSync('unshare', unshare, { encoding: 'utf8' })) as string[];
}

describe('btrfs with SELinux', () => {
  it.skipIf(!canMountBtrfs())('is refused when asked for or found on disk, and otherwise skipped', () => {
    const temporary = temporaryBtrfs();
    try {
      const [asked, nothing, prior] = answersWithSelinux(temporary.path);
      expect(asked).toMatch(/^TSD_DRIVER_UNAVAILABLE: graph driver btrfs was asked for .* SELinux is on/);
      expect(nothing).toBe('overlay');
      expect(prior).toMatch(/^TSD_DRIVER_UNAVAILABLE: graph driver btrfs holds the images .* SELinux is on/);
    } finally {
      temporary.remove();
    }
  });
});
