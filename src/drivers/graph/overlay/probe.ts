import {
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  statfsSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { release } from 'node:os';
import { dirname, join } from 'node:path';
import { reportsEntryTypes, setXattr } from '../../../ffi/layer-files.ts';
import { mountDetached } from '../../../ffi/mounts.ts';
import { describeError, toTsdError } from '../../../model/errors.ts';
import type { Fingerprint } from '../../contract.ts';

/** include/uapi/linux/magic.h */
const FILESYSTEMS: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x01021994, 'tmpfs'],
  [0xf2f52010, 'f2fs'],
  [0x2fc12fc1, 'zfs'],
  [0x6969, 'nfs'],
  [0x794c7630, 'overlay'],
]);
const OVERLAY_ON_OVERLAY = 'overlay';

/** Tries a real overlay where `home` is or would be. The mount is never attached anywhere and is gone on return. */
export function probeOverlay(home: string): Fingerprint {
  let place = home;
  while (!existsSync(place)) place = dirname(place);
  const magic = statfsSync(place).type;
  const backing = FILESYSTEMS.get(magic) ?? `0x${magic.toString(16)}`;
  const attributes = { kernel: release(), 'backing filesystem': backing };
  const problem = (what: string, fix: string): Fingerprint => ({ works: false, problems: [{ what, fix }], attributes });
  if (process.getuid?.() !== 0) return problem('mounting needs root', 'Run the supervisor as root.');
  if (backing === OVERLAY_ON_OVERLAY) {
    return problem(`${place} is itself on an overlay`, 'Put --root on a volume or disk of its own, or use -s vfs.');
  }
  try {
    tryOverlay(place);
  } catch (thrown) {
    return problem(
      `overlay does not work on ${backing} here: ${describeError(toTsdError(thrown))}`,
      'Use a kernel from 6.5 on with overlayfs and a filesystem with d_type and extended attributes, or use -s vfs.',
    );
  }
  return { works: true, problems: [], attributes };
}

/** Mounts, changes and deletes a lower file, and looks for the whiteout. */
function tryOverlay(place: string): void {
  const probe = mkdtempSync(join(place, '.tsd-overlay-'));
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
