import { closeSync, lstatSync, mkdirSync, mkdtempSync, openSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';
import { reportsEntryTypes, setXattr } from '../../../ffi/files/layer-files.ts';
import { mountDetached } from '../../../ffi/storage/mounts.ts';
import { describeError, toTsdError } from '../../../model/errors/errors.ts';
import type { Fingerprint } from '../../contract/driver.ts';
import { backingFilesystem } from '../backing-filesystem.ts';
import type { BuildArea } from '../build-area.ts';

/** Tries a real overlay where `home` is or would be. The mount is never attached anywhere and is gone on return. */
export function probeOverlay(home: string, area: BuildArea): Fingerprint {
  const { place, name: backing } = backingFilesystem(home);
  const attributes = { kernel: release(), 'backing filesystem': backing };
  const problem = (what: string, fix: string): Fingerprint => ({ works: false, problems: [{ what, fix }], attributes });
  if (process.getuid?.() !== 0) return problem('mounting needs root', 'Run the supervisor as root.');
  if (backing === 'overlay') {
    return problem(`${place} is itself on an overlay`, 'Put --root on a volume or disk of its own, or use -s vfs.');
  }
  try {
    // Without a home there is no area yet, and asking must not make one.
    tryOverlay(place === home ? area.make() : mkdtempSync(join(place, '.tsd-overlay-')));
  } catch (thrown) {
    // A full disk says nothing about overlay, and containers are needed on it too.
    if (isWithoutRoom(thrown))
      return { works: true, problems: [], attributes: { ...attributes, tried: 'no: disk full' } };
    return problem(
      `overlay does not work on ${backing} here: ${describeError(toTsdError(thrown))}`,
      'Use a kernel from 6.5 on with overlayfs and a filesystem with d_type and extended attributes, or use -s vfs.',
    );
  }
  return { works: true, problems: [], attributes };
}

function isWithoutRoom(thrown: unknown): boolean {
  const { code } = thrown as { readonly code?: unknown };
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'TSD_DISK_FULL';
}

/** Mounts below `probe`, changes and deletes a lower file, looks for the whiteout, and removes `probe`. */
function tryOverlay(probe: string): void {
  try {
    const [lower, upper, work] = ['lower', 'upper', 'work'].map((name) => join(probe, name)) as [
      string,
      string,
      string,
    ];
    for (const directory of [lower, upper, work]) mkdirSync(directory);
    writeFileSync(join(lower, 'file'), 'lower');
    checkEntryTypes(lower);
    setXattr(upper, 'trusted.tsdocker.probe', Buffer.from('y'));
    withOverlay(lower, upper, work, (merged) => {
      writeFileSync(`${merged}/file`, 'changed');
      unlinkSync(`${merged}/file`);
    });
    const whiteout = lstatSync(join(upper, 'file'));
    if (!whiteout.isCharacterDevice() || whiteout.rdev !== 0) throw new Error('deleting a lower file left no whiteout');
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}

function checkEntryTypes(directory: string): void {
  const fd = openSync(directory, 'r');
  try {
    if (!reportsEntryTypes(fd)) throw new Error('the filesystem does not report entry types (d_type)');
  } finally {
    closeSync(fd);
  }
}

/** Runs `use` with a path that leads into a detached overlay mount. */
function withOverlay(lower: string, upper: string, work: string, use: (path: string) => void): void {
  // `lowerdir+` takes one layer a time, as the exec driver mounts them (Linux 6.5).
  const mount = mountDetached('probe overlay', 'overlay', [
    ['lowerdir+', lower],
    ['upperdir', upper],
    ['workdir', work],
  ]);
  try {
    use(`/proc/self/fd/${mount}`);
  } finally {
    closeSync(mount);
  }
}
