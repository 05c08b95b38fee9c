/** Copies of pinned files on a disk that damages what it holds. */
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ContentStore } from '../../../src/state/content-store.ts';
import { StateFiles } from '../../../src/state/files/durable.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync('/tmp/tsd-test-');
  mkdirSync(join(root, 'tmp'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const bytes = Buffer.from('setting=1\n');
const name = `${createHash('sha256').update(bytes).digest('hex')}-0644-0-0`;
const copy = { name, bytes: bytes.length };
/** As the next supervisor opens it. */
const open = () => new ContentStore(root, new StateFiles(join(root, 'tmp')));

test.each<[string, (path: string) => void]>([
  ['shorter', (path) => truncateSync(path, 3)],
  ['as long and holds other bytes', (path) => writeFileSync(path, Buffer.alloc(bytes.length))],
  [
    'a directory',
    (path) => {
      rmSync(path);
      mkdirSync(path);
    },
  ],
  ['gone', (path) => rmSync(path)],
])('a copy that is %s counts as missing and is written again', (_what, damage) => {
  open().keep([{ copy, bytes }]);
  const path = open().path(name);
  damage(path);
  const store = open();
  expect([store.has(copy), store.isWhole(name)]).toEqual([false, false]);
  store.keep([{ copy, bytes }]);
  expect([store.has(copy), store.isWhole(name)]).toEqual([true, true]);
  expect(readFileSync(path)).toEqual(bytes);
  expect(store.list()).toEqual([copy]);
  expect(readdirSync(join(root, 'tmp'))).toEqual([]);
});
