/** 125,000 files in one directory: walking, measuring, packing and copying yield to the event loop. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { treeChanges } from '../../src/drivers/graph/tree-changes.ts';
import { treeSize } from '../../src/drivers/graph/tree-size.ts';
import { Beneath } from '../../src/ffi/files/beneath.ts';
import { namesWithoutLinks } from '../../src/ffi/files/without-links.ts';
import { copyEntries } from '../../src/images/build/files/copy.ts';
import { directoryEntries } from '../../src/images/tree/directory-entries.ts';
import { measured, treeTar } from '../../src/images/tree/tree-tar.ts';
import { IGNORE_NOTHING } from '../../src/model/text/ignore-file.ts';
import { MANY, makeFiles, memoryDirectory } from '../support/many-files.ts';

/** A walk in slices of 5 ms has the loop turn this often at the least: it takes some hundred milliseconds. */
const FEW_TURNS = 10;

const memory = memoryDirectory();
const tree = join(memory.path, 'tree');
/** Each file of it is opened or looked up several times. */
const SMALLER = 5_000;
const smaller = join(memory.path, 'smaller');
beforeAll(() => {
  makeFiles(join(tree, 'many'));
  makeFiles(join(smaller, 'many'), SMALLER);
});
afterAll(() => memory.remove());

/** Turns of the event loop during the work. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let done = false;
  void work.finally(() => {
    done = true;
  });
  let turns = 0;
  for (; !done; turns++) await nextTurn();
  await work;
  return turns;
}

async function count(items: AsyncIterable<unknown>): Promise<number> {
  let found = 0;
  for await (const _ of items) found += 1;
  return found;
}

test('names arrive in small batches, each once', () => {
  const seen = new Set<string>();
  for (const batch of namesWithoutLinks(Buffer.from(join(tree, 'many')))) {
    expect(batch.length).toBeLessThan(2_000);
    for (const name of batch) seen.add(name.toString());
  }
  expect(seen.size).toBe(MANY);
});

test('measuring it does not block the event loop', async () => {
  expect(await turnsDuring(treeSize(tree))).toBeGreaterThan(FEW_TURNS);
});

test('finding its changes does not block the event loop', async () => {
  let changes = 0;
  const work = count(treeChanges(tree, null)).then((found) => {
    changes = found;
  });
  expect(await turnsDuring(work)).toBeGreaterThan(FEW_TURNS);
  expect(changes).toBe(MANY + 2);
});

test('writing its tar neither blocks the event loop nor needs a list of all files', async () => {
  const work = measured(treeTar(directoryEntries(smaller)));
  expect(await turnsDuring(work)).toBeGreaterThan(FEW_TURNS);
  expect((await work).size).toBeGreaterThan(SMALLER * 512);
});

test('copying it into an image does not block the event loop', async () => {
  const files = Beneath.open(smaller);
  const root = Beneath.open(memory.path);
  try {
    const source = { files, ignore: IGNORE_NOTHING, name: 'context', devices: false, keepsOwners: false };
    const work = copyEntries(
      {
        keyword: 'COPY',
        sources: [{ type: 'tree', tree: source, pattern: 'many/*' }],
        destination: '/copied/',
        owner: null,
        mode: null,
        excludes: [],
        parents: false,
        mtimeSeconds: null,
        nowSeconds: 0,
        place: { file: 'Dockerfile', line: 1, source: 'COPY many/* /copied/' },
      },
      root,
    );
    expect(await turnsDuring(work)).toBeGreaterThan(FEW_TURNS);
    expect((await work).length).toBe(SMALLER + 1);
  } finally {
    files.close();
    root.close();
  }
});

test('a directory that is removed during the read ends the list', () => {
  const directory = join(memory.path, 'short');
  makeFiles(directory, 10);
  const batches = namesWithoutLinks(Buffer.from(directory));
  expect(batches.next().value?.length).toBe(10);
  rmSync(directory, { recursive: true });
  expect(batches.next().done).toBe(true);
});
