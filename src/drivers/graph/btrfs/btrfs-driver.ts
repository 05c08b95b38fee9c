import { chmodSync, existsSync } from 'node:fs';
import { constants } from 'node:os';
import { createSubvolume, destroySubvolume, snapshotSubvolume } from '../../../ffi/storage/btrfs.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { Fingerprint } from '../../contract/driver.ts';
import type { GraphDriver } from '../../contract/graph.ts';
import { backingFilesystem } from '../backing-filesystem.ts';
import { FullCopyDriver, type Trees } from '../full-copy-driver.ts';
import { treeChanges } from '../tree-changes.ts';
import { changesSize } from '../tree-size.ts';

/** Mounted only while SELinux is on (include/uapi/linux/magic.h, selinuxfs). */
const SELINUX = '/sys/fs/selinux/enforce';

function fingerprint(home: string): Fingerprint {
  const { place, name: backing } = backingFilesystem(home);
  const attributes = { 'backing filesystem': backing };
  const problem = (what: string, fix: string): Fingerprint => ({ works: false, problems: [{ what, fix }], attributes });
  if (process.getuid?.() !== 0) return problem('subvolumes need root', 'Run the supervisor as root.');
  if (backing !== 'btrfs') {
    return problem(`${place} is on ${backing}, not on btrfs`, 'Put --root on a btrfs filesystem, or use -s overlay.');
  }
  if (existsSync(SELINUX)) {
    return problem(
      'SELinux is on, and a snapshot keeps the labels of its source',
      'Use -s overlay where SELinux is on.',
    );
  }
  return { works: true, problems: [], attributes };
}

function destroy(path: string): void {
  if (!existsSync(path)) return;
  try {
    destroySubvolume(path);
  } catch (thrown) {
    // A privileged container may have made subvolumes inside; then its files go one by one.
    if (!(thrown instanceof TsdError) || thrown.errno !== constants.errno.ENOTEMPTY) throw thrown;
  }
}

/** Each tree is a subvolume and a copy is a snapshot, which shares all blocks with its source. */
const SUBVOLUMES: Trees = {
  name: 'btrfs',
  directory: 'subvolumes',
  fingerprint,
  makeEmpty: (path) => {
    createSubvolume(path);
    chmodSync(path, 0o755);
  },
  copiesAreDurable: true,
  copy: async (from, to) => snapshotSubvolume(from, to),
  destroy,
  size: (tree, below) => changesSize(treeChanges(tree, below, { deep: 'left-out' })),
};

/** The btrfs driver of a root directory on btrfs. Removes what an interrupted predecessor left unfinished. */
export function createBtrfsDriver(root: string): GraphDriver {
  return new FullCopyDriver(root, SUBVOLUMES);
}
