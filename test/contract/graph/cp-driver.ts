/** A graph driver of the tests: complete trees, copied by cp(1). */
import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { promisify } from 'node:util';
import type { GraphDriver } from '../../../src/drivers/contract/graph.ts';
import { backingFilesystem } from '../../../src/drivers/graph/backing-filesystem.ts';
import { FullCopyDriver } from '../../../src/drivers/graph/full-copy-driver.ts';
import type { GraphDriverEntry } from '../../../src/drivers/graph/open.ts';
import { treeSize } from '../../../src/drivers/graph/tree-size.ts';

const run = promisify(execFile);

function createCpDriver(root: string): GraphDriver {
  return new FullCopyDriver(root, {
    name: 'cp',
    directory: 'trees',
    fingerprint: (home) => ({
      works: true,
      problems: [],
      attributes: { 'backing filesystem': backingFilesystem(home).name },
    }),
    makeEmpty: (path) => void mkdirSync(path, { mode: 0o755 }),
    copiesAreDurable: false,
    copy: async (from, to) => {
      await run('cp', ['--archive', '--no-target-directory', from, to]);
    },
    destroy: () => {},
    size: (tree) => treeSize(tree),
  });
}

export const CP_DRIVER: GraphDriverEntry = { options: [], create: createCpDriver };
