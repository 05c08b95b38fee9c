/** The power fails after a container was made: an ext4 is shut down without its journal, and mounted again. */
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { GraphDriver } from '../../../src/drivers/contract/graph.ts';
import { createOverlayDriver } from '../../../src/drivers/graph/overlay/overlay-driver.ts';
import { createVfsDriver } from '../../../src/drivers/graph/vfs/vfs-driver.ts';
import { syncDirectory } from '../../../src/ffi/files/files.ts';
import { failFilesystem } from '../../support/failing-filesystem.ts';
import { LoopDisk } from '../../support/loop-disk.ts';
import { describeTree } from '../../support/tree.ts';
import { id } from './fixture.ts';
import { withRoot } from './root-view.ts';

let disk: LoopDisk;

beforeEach(() => {
  disk = new LoopDisk(128 * 1024 ** 2);
});

afterEach(() => disk.remove());

const treeOf = (graph: GraphDriver): string[] => {
  let lines: string[] = [];
  withRoot(graph.rootMount(id('c')), (root) => {
    lines = describeTree(`${root}/.`, { times: false });
  });
  return lines;
};

test.each([
  ['overlay', createOverlayDriver],
  ['vfs', createVfsDriver],
])('%s: a container with a durable record has its complete image', async (_, create) => {
  const root = join(disk.path, 'root');
  mkdirSync(root);
  const graph = create(root);
  await graph.createLayer(id('base'), null, async ({ path }) => {
    mkdirSync(join(path, 'bin'));
    for (let n = 0; n < 200; n++) writeFileSync(join(path, 'bin', `program-${n}`), `content ${n}`.repeat(1000));
  });
  await graph.createSnapshot(id('c'), id('base'));
  // What makes a container exist, as the state does it.
  const record = openSync(join(root, 'record'), 'w');
  writeFileSync(record, 'made', { flush: true });
  closeSync(record);
  syncDirectory(root);
  const before = treeOf(graph);
  graph.close();

  failFilesystem(disk.path);
  await disk.unmount();
  disk.mount();
  const again = create(root);
  expect(before.length).toBeGreaterThan(200);
  expect(treeOf(again)).toEqual(before);
  again.close();
});
