import { mkdirSync } from 'node:fs';
import { copyTree } from '../../../ffi/files/copy-tree.ts';
import { inSlices } from '../../../ffi/slices.ts';
import type { Fingerprint } from '../../contract/driver.ts';
import type { GraphDriver } from '../../contract/graph.ts';
import { backingFilesystem } from '../backing-filesystem.ts';
import { FullCopyDriver, type Trees } from '../full-copy-driver.ts';
import { treeSize } from '../tree-size.ts';

function fingerprint(home: string): Fingerprint {
  const attributes = { 'backing filesystem': backingFilesystem(home).name };
  if (process.getuid?.() === 0) return { works: true, problems: [], attributes };
  const problem = { what: 'owners of files can only be kept by root', fix: 'Run the supervisor as root.' };
  return { works: false, problems: [problem], attributes };
}

const COPIED_FILES: Trees = {
  name: 'vfs',
  directory: 'dir',
  fingerprint,
  makeEmpty: (path) => void mkdirSync(path, { mode: 0o755 }),
  copiesAreDurable: false,
  copy: (from, to) => inSlices(copyTree(from, to)),
  destroy: () => {},
  size: (tree) => treeSize(tree),
};

/** The vfs driver of a root directory. Removes what an interrupted predecessor left unfinished. */
export function createVfsDriver(root: string): GraphDriver {
  return new FullCopyDriver(root, COPIED_FILES);
}
