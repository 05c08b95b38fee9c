import { mkdirSync, mkdtempSync, renameSync, rmdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { findHierarchies, hostSources } from '../../../src/drivers/exec/native/cgroups/hierarchies.ts';
import { ListedDirectory, UnionOfLists } from '../../../src/ffi/files/listed-directory.ts';

const LONG_AGO = new Date(Date.now() - 3_600_000);

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'tsd-listed-'));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

test('new, removed and replaced entries are seen at once, also after a quiet time', () => {
  const path = directory();
  const listed = new ListedDirectory(path, (name) => name !== 'other');
  expect(listed.names()).toEqual([]);
  for (const [change, names] of [
    [() => writeFileSync(join(path, 'a'), ''), ['a']],
    [() => writeFileSync(join(path, 'other'), ''), ['a']],
    [() => renameSync(join(path, 'a'), join(path, 'b')), ['b']],
    [() => rmSync(join(path, 'b')), []],
  ] as const) {
    utimesSync(path, LONG_AGO, LONG_AGO);
    listed.names();
    change();
    expect(listed.names()).toEqual(names);
    // Twice within one tick of the filesystem's clock.
    writeFileSync(join(path, 'c'), '');
    expect(listed.names()).toContain('c');
    rmSync(join(path, 'c'));
    expect(listed.names()).toEqual(names);
  }
});

test('an unchanged directory gives the same array, a missing one an empty array', () => {
  const path = join(directory(), 'd');
  const listed = new ListedDirectory(path, () => true);
  expect(listed.names()).toEqual([]);
  mkdirSync(path);
  writeFileSync(join(path, 'a'), '');
  const names = listed.names();
  expect(names).toEqual(['a']);
  expect(listed.names()).toBe(names);
  rmSync(path, { recursive: true });
  expect(listed.names()).toEqual([]);
});

test('new and removed groups of a cgroup directory are seen, although its times do not change', () => {
  const parent = join(findHierarchies(hostSources()).unified, `tsdocker-listed-${process.pid}`);
  mkdirSync(parent);
  onTestFinished(() => rmdirSync(parent));
  const listed = new ListedDirectory(parent, (name) => name.startsWith('group'));
  expect(listed.names()).toEqual([]);
  mkdirSync(join(parent, 'group1'));
  expect(listed.names()).toEqual(['group1']);
  rmdirSync(join(parent, 'group1'));
  mkdirSync(join(parent, 'group2'));
  // As many as before: the one who changes it notifies the list.
  listed.forget();
  expect(listed.names()).toEqual(['group2']);
  rmdirSync(join(parent, 'group2'));
  expect(listed.names()).toEqual([]);
});

test('a union has each name once and is the same array while its lists are unchanged', () => {
  const union = new UnionOfLists();
  const [one, two] = [['a', 'b'], ['b']];
  const all = union.of(one, two);
  expect(all).toEqual(['a', 'b']);
  expect(union.of(one, two)).toBe(all);
  expect(union.of(one, ['c'])).toEqual(['a', 'b', 'c']);
});
