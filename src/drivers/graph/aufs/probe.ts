import { closeSync, lstatSync, mkdirSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { hasFilesystem, mountInPassing } from '../../../ffi/storage/mounts.ts';
import { describeError, toTsdError } from '../../../model/errors/errors.ts';
import type { Fingerprint } from '../../contract/driver.ts';
import { backingFilesystem } from '../backing-filesystem.ts';
import { aufsCannotName, aufsMountCalls } from './mount-calls.ts';

/** What Docker refuses below aufs. */
const REFUSED = new Set(['btrfs', 'aufs', 'overlay', 'zfs']);

/** Tries a real aufs where `home` is or would be; it is gone on return. */
export function probeAufs(home: string): Fingerprint {
  const { place, name: backing } = backingFilesystem(home);
  const attributes = { kernel: release(), 'backing filesystem': backing };
  const problem = (what: string, fix: string): Fingerprint => ({ works: false, problems: [{ what, fix }], attributes });
  if (process.getuid?.() !== 0) return problem('mounting needs root', 'Run the supervisor as root.');
  if (!hasFilesystem('aufs')) {
    return problem('the kernel has no aufs', 'Install a kernel with the aufs module, or use -s overlay.');
  }
  if (REFUSED.has(backing)) {
    return problem(
      `${place} is on ${backing}, which aufs does not work on`,
      'Put --root on ext4 or xfs, or use -s vfs.',
    );
  }
  if (aufsCannotName(home)) {
    return problem(
      `aufs mount options cannot contain ${home}`,
      'Choose a --root without colons, commas, = and spaces.',
    );
  }
  try {
    const dirperm1 = takesDirperm1(home);
    return { works: true, problems: [], attributes: { ...attributes, dirperm1: dirperm1 ? 'yes' : 'no' } };
  } catch (thrown) {
    const why = describeError(toTsdError(thrown));
    return problem(`aufs does not work on ${backing} here: ${why}`, 'Use -s overlay or -s vfs.');
  }
}

/** Whether this aufs knows `dirperm1`: an older one refuses to mount with it. @throws when it cannot be mounted at all. */
export function takesDirperm1(home: string): boolean {
  const { place } = backingFilesystem(home);
  try {
    tryAufs(place, true);
    return true;
  } catch {
    tryAufs(place, false);
    return false;
  }
}

/** Mounts below `place`, changes and deletes a file of the lower branch, and looks for the whiteout. */
function tryAufs(place: string, dirperm1: boolean): void {
  const probe = mkdtempSync(join(place, '.tsd-aufs-'));
  try {
    const [lower, upper] = [join(probe, 'lower'), join(probe, 'upper')];
    for (const directory of [lower, upper]) mkdirSync(directory);
    writeFileSync(join(lower, 'file'), 'lower');
    const calls = aufsMountCalls({ writable: upper, layers: [lower], dirperm1 });
    const mount = mountInPassing('probe aufs', join(probe, 'mount'), calls, '');
    try {
      const file = `/proc/self/fd/${mount}/file`;
      writeFileSync(file, 'changed');
      if (readFileSync(join(upper, 'file'), 'utf8') !== 'changed') throw new Error('a changed file was not copied up');
      unlinkSync(file);
    } finally {
      closeSync(mount);
    }
    if (!lstatSync(join(upper, '.wh.file')).isFile()) throw new Error('deleting a lower file left no whiteout');
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}
