/** Deleting many files: the event loop keeps turning, no link leads out, and the next start removes leftovers. */
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { emptyDirectory, removeTree } from '../../src/ffi/files/remove-tree.ts';
import { DEFAULT_LAYER_LIMITS } from '../../src/images/image.ts';
import { tarHeader } from '../../src/images/tar/writer.ts';
import { LayerWriter } from '../../src/images/unpack/layer-writer.ts';
import { type MemoryDirectory, makeFiles, memoryDirectory } from '../support/many-files.ts';
import { until } from '../support/wait.ts';

/** More than are deleted at once. */
const LARGE = 20_000;

let memory: MemoryDirectory;
beforeEach(() => {
  memory = memoryDirectory();
});
afterEach(() => memory.remove());

const inMemory = (...names: string[]): string => join(memory.path, ...names);

test('deleting a large tree does not block the event loop', async () => {
  makeFiles(inMemory('large', 'many'), LARGE);
  const work = removeTree(inMemory('large'));
  // What is looked at before the promise is there is a few hundred names.
  expect(existsSync(inMemory('large', 'many'))).toBe(true);
  await work;
  expect(readdirSync(memory.path)).toEqual([]);
});

test('the leftover tree of a killed process does not delay the start', async () => {
  makeFiles(inMemory('left', 'many'), LARGE);
  mkdirSync(inMemory('left', 'few'));
  expect(emptyDirectory(inMemory('left'))).toEqual([]);
  // Its name is free at once.
  expect(readdirSync(inMemory('left')).filter((name) => !name.startsWith('.going-'))).toEqual([]);
  await until('nothing is left', () => readdirSync(inMemory('left')).length === 0);
});

test('the next start finishes an interrupted deletion', async () => {
  makeFiles(inMemory('left', '.going-abc', 'tree'), LARGE);
  emptyDirectory(inMemory('left'));
  await until('nothing is left', () => readdirSync(inMemory('left')).length === 0);
});

test('links are deleted, their targets are not', async () => {
  mkdirSync(inMemory('outside'));
  writeFileSync(inMemory('outside', 'file'), 'kept');
  mkdirSync(inMemory('tree', 'below'), { recursive: true });
  symlinkSync(inMemory('outside'), inMemory('tree', 'below', 'link'));
  symlinkSync(inMemory('outside'), inMemory('tree-link'));
  await removeTree(inMemory('tree'));
  await removeTree(inMemory('tree-link'));
  expect(readdirSync(memory.path)).toEqual(['outside']);
  expect(readdirSync(inMemory('outside'))).toEqual(['file']);
});

test('deleting a missing path succeeds', async () => {
  await removeTree(inMemory('nothing', 'here'));
});

test.each(['overlay', 'delete'] as const)(
  'an archive that replaces a large directory moves it away at once (whiteouts: %s)',
  async (whiteouts) => {
    makeFiles(inMemory('layer', 'd'), whiteouts === 'delete' ? LARGE : 0);
    const writer = new LayerWriter({ path: inMemory('layer'), whiteouts }, DEFAULT_LAYER_LIMITS);
    if (whiteouts === 'overlay') {
      for (let number = 0; number < 2_000; number++)
        writer.add(tarHeader({ type: 'symlink', path: `e/${number}`, linkname: 'x' }));
      writer.add(tarHeader({ type: 'symlink', path: 'e', linkname: 'd' }));
    } else {
      writer.add(tarHeader({ type: 'directory', path: 'd/' }));
      writer.add(tarHeader({ type: 'file', path: 'd/.wh..wh..opq' }))?.end();
      expect(readdirSync(inMemory('layer', 'd'))).toEqual([]);
      writer.add(tarHeader({ type: 'symlink', path: 'd', linkname: 'x' }));
    }
    await writer.finish();
    expect(readdirSync(inMemory('layer')).sort()).toEqual(whiteouts === 'overlay' ? ['d', 'e'] : ['d']);
  },
);
