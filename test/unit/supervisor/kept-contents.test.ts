import { expect, test } from 'vitest';
import { CopyRoom, MAX_KEPT_BYTES } from '../../../src/manifest/resolve/copy-room.ts';
import { copyName, type FileCopy, parseCopyName } from '../../../src/model/contents.ts';
import { type Keeping, tooMuch } from '../../../src/supervisor/sources/kept-contents.ts';

const copies = (sizes: Readonly<Record<string, number>>): ReadonlyMap<string, FileCopy> =>
  new Map(Object.entries(sizes).map(([name, bytes]) => [name, { name, bytes }]));

const generation = (n: number, sizes: Readonly<Record<string, number>>, pinned = false): Keeping => ({
  generation: n,
  copies: copies(sizes),
  pinned,
});

test('the newest generations and those of held apps keep file contents', () => {
  const all = [
    generation(5, { e: 1 }, true),
    generation(4, { d: 1 }),
    generation(3, { c: 1 }),
    generation(2, { b: 1 }, true),
    generation(1, { a: 1 }),
  ];
  expect(tooMuch(all, new Set([5, 4]), copies({}), 100)).toEqual([3, 1]);
});

test('the oldest are dropped first beyond the limit, shared copies count once, and current ones always fit', () => {
  const all = [
    generation(4, { d: 30 }, true),
    generation(3, { d: 30, c: 30 }),
    generation(2, { b: 30 }),
    generation(1, { d: 30 }),
  ];
  const newest = new Set([4, 3, 2, 1]);
  expect(tooMuch(all, newest, copies({}), 90)).toEqual([]);
  expect(tooMuch(all, newest, copies({ running: 10 }), 90)).toEqual([2, 1]);
  expect(tooMuch(all, newest, copies({ running: 10, c: 30 }), 100)).toEqual([]);
  // The current one is kept whatever it takes.
  expect(tooMuch(all, newest, copies({}), 10)).toEqual([3, 2, 1]);
});

test('one state has a pin limit, which existing pins count towards', () => {
  const half = MAX_KEPT_BYTES / 4;
  const [a, b, c] = ['a', 'b', 'c'].map((name) => ({ name, bytes: half })) as [FileCopy, FileCopy, FileCopy];
  const room = new CopyRoom([{ resources: { 'container/x/y': { hashes: {}, files: { p: a } } }, reads: {} } as never]);
  const bytes = Buffer.alloc(0);
  expect([room.take(b, bytes), room.take(c, bytes), room.take(a, bytes), room.take(b, bytes)]).toEqual([
    true,
    false,
    true,
    true,
  ]);
  expect([...room.taken.keys()]).toEqual(['b', 'a']);
});

test('the name of a copy encodes content, mode and owner', () => {
  const sha256 = 'ab'.repeat(32);
  const name = copyName(sha256, { mode: 0o100644, uid: 12, gid: 34 });
  expect(name).toBe(`${sha256}-0644-12-34`);
  expect(parseCopyName(name)).toEqual({ sha256, mode: 0o644, uid: 12, gid: 34 });
  expect(parseCopyName(`../${name}`)).toBeNull();
});
