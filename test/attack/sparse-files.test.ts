/** A file of 10 GiB with two blocks of data stays that: in copies, tars, and layers made of them. */

import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, lstatSync, mkdirSync, openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { copyTree } from '../../src/ffi/files/copy-tree.ts';
import { unpackArchive } from '../../src/images/build/files/local-archive.ts';
import { rootTar } from '../../src/images/export/root-tar.ts';
import { directoryEntries } from '../../src/images/tree/directory-entries.ts';
import { SparseMaps } from '../../src/images/tree/sparse-entry.ts';
import { treeTar } from '../../src/images/tree/tree-tar.ts';
import { type MemoryDirectory, memoryDirectory } from '../support/many-files.ts';

const SIZE = 10 * 1024 ** 3;
/** Not on a block of a tar or a page. */
const PLACES = [5, 3 * 1024 ** 3 + 7];
const TEXT = 'data in a hole';

let memory: MemoryDirectory;
beforeEach(() => {
  memory = memoryDirectory();
  mkdirSync(join(memory.path, 'tree'));
});
afterEach(() => memory.remove());

function makeSparse(path: string, size = SIZE): void {
  const fd = openSync(path, 'w');
  try {
    ftruncateSync(fd, size);
    for (const place of PLACES) if (place < size) writeSync(fd, TEXT, place);
  } finally {
    closeSync(fd);
  }
}

function textAt(path: string, place: number): string {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(TEXT.length);
    readSync(fd, bytes, 0, bytes.length, place);
    return bytes.toString();
  } finally {
    closeSync(fd);
  }
}

const bytesOnDisk = (path: string): number => lstatSync(path).blocks * 512;

function expectSparse(path: string): void {
  expect(lstatSync(path).size).toBe(SIZE);
  expect(PLACES.map((place) => textAt(path, place))).toEqual([TEXT, TEXT]);
  expect(bytesOnDisk(path)).toBeLessThan(1024 ** 2);
}

async function pieces(tar: AsyncIterable<Buffer>): Promise<Buffer> {
  const all: Buffer[] = [];
  for await (const piece of tar) all.push(piece);
  return Buffer.concat(all);
}

const inMemory = (...names: string[]): string => join(memory.path, ...names);

test('in a copy of a tree', () => {
  makeSparse(inMemory('tree', 'large'));
  let steps = 0;
  for (const _step of copyTree(inMemory('tree'), inMemory('copy'))) steps += 1;
  expectSparse(inMemory('copy', 'large'));
  expect(steps).toBeLessThan(20);
});

test('in an exported tar, which our reader and GNU tar restore', async () => {
  makeSparse(inMemory('tree', 'large'));
  const tar = await pieces(rootTar({ type: 'bind', source: inMemory('tree') }));
  expect(tar.length).toBeLessThan(1024 ** 2);
  await unpackArchive(Readable.from([tar]), inMemory('ours'));
  expectSparse(inMemory('ours', 'large'));
  mkdirSync(inMemory('gnu'));
  execFileSync('tar', ['-C', inMemory('gnu'), '-xf', '-'], { input: tar });
  expectSparse(inMemory('gnu', 'large'));
});

test('in a tar that is written twice with equal bytes', async () => {
  makeSparse(inMemory('tree', 'large'));
  const maps = new SparseMaps();
  const first = await pieces(treeTar(directoryEntries(inMemory('tree')), maps));
  expect((await pieces(treeTar(directoryEntries(inMemory('tree')), maps))).equals(first)).toBe(true);
});

test('a file that is one hole, and one with a long name', async () => {
  const size = 6 * 1024 ** 3;
  for (const name of ['hole', `${'n'.repeat(90)}/${'m'.repeat(90)}`]) {
    mkdirSync(inMemory('tree', name.includes('/') ? name.slice(0, 90) : '.'), { recursive: true });
    const fd = openSync(inMemory('tree', name), 'w');
    ftruncateSync(fd, size);
    closeSync(fd);
  }
  const tar = await pieces(rootTar({ type: 'bind', source: inMemory('tree') }));
  await unpackArchive(Readable.from([tar]), inMemory('ours'));
  mkdirSync(inMemory('gnu'));
  execFileSync('tar', ['-C', inMemory('gnu'), '-xf', '-'], { input: tar });
  for (const tool of ['ours', 'gnu']) {
    for (const name of ['hole', `${'n'.repeat(90)}/${'m'.repeat(90)}`]) {
      expect([lstatSync(inMemory(tool, name)).size, bytesOnDisk(inMemory(tool, name))]).toEqual([size, 0]);
    }
  }
});

test('in a layer whose tar has the holes as zeros', async () => {
  const size = 64 * 1024 ** 2;
  makeSparse(inMemory('tree', 'large'), size);
  await unpackArchive(Readable.from(treeTar(directoryEntries(inMemory('tree')))), inMemory('ours'));
  const path = inMemory('ours', 'large');
  expect([lstatSync(path).size, textAt(path, PLACES[0] as number)]).toEqual([size, TEXT]);
  expect(bytesOnDisk(path)).toBeLessThan(1024 ** 2);
});

test('a file with a hole in every other page has a bounded map', async () => {
  const fd = openSync(inMemory('tree', 'comb'), 'w');
  for (let page = 0; page < 20_000; page += 2) writeSync(fd, 'x', page * 4096);
  ftruncateSync(fd, 20_000 * 4096);
  const map = await new SparseMaps().of('comb', fd);
  closeSync(fd);
  expect(map?.length).toBeLessThan(3);
});
