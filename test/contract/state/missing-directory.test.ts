/** Directories of the host that are made where they are missing, on paths that others may shape. */
import { chmodSync, chownSync, lchownSync, lstatSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeMissingDirectory } from '../../../src/ffi/files/missing-directory.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const temporary = temporaryDirectories('missing');
const ALICE = 4242;
const AS = { uid: 70, gid: 71, mode: 0o2750 };

const attributes = (path: string) => {
  const { uid, gid, mode } = statSync(path);
  return { uid, gid, mode: mode & 0o7777 };
};
const thrownBy = (run: () => unknown): unknown => {
  try {
    run();
    return null;
  } catch (error) {
    return error;
  }
};

test('the last one has owner and mode regardless of umask, and its parents belong to root', () => {
  const base = temporary();
  const mask = process.umask(0o077);
  try {
    expect(makeMissingDirectory(join(base, 'a/b/c'), AS)).toBe(true);
  } finally {
    process.umask(mask);
  }
  expect(attributes(join(base, 'a/b/c'))).toEqual(AS);
  expect(attributes(join(base, 'a/b'))).toEqual({ uid: 0, gid: 0, mode: 0o755 });
  expect(readdirSync(join(base, 'a/b'))).toEqual(['c']);
});

test('an existing directory stays unchanged', () => {
  const base = temporary();
  mkdirSync(join(base, 'there'), { mode: 0o700 });
  expect(makeMissingDirectory(join(base, 'there'), AS)).toBe(false);
  expect(attributes(join(base, 'there'))).toEqual({ uid: 0, gid: 0, mode: 0o700 });
});

test('remains of an interrupted attempt do no harm', () => {
  const base = temporary();
  mkdirSync(join(base, '.data.tsdocker-new'));
  makeMissingDirectory(join(base, 'data'), AS);
  expect(readdirSync(base)).toEqual(['data']);
});

test('links of root are followed, also relative ones, and their targets are created', () => {
  const base = temporary();
  mkdirSync(join(base, 'real/deep'), { recursive: true });
  symlinkSync('real/deep/../deep', join(base, 'link'));
  makeMissingDirectory(join(base, 'link/new'), AS);
  expect(attributes(join(base, 'real/deep/new'))).toEqual(AS);
  symlinkSync(join(base, 'elsewhere'), join(base, 'dangling'));
  makeMissingDirectory(join(base, 'dangling'), AS);
  expect(attributes(join(base, 'elsewhere'))).toEqual(AS);
});

test.each<[string, (home: string, target: string) => void]>([
  [
    'a link of the user',
    (home, target) => {
      symlinkSync(target, join(home, 'data'));
      lchownSync(join(home, 'data'), ALICE, ALICE);
    },
  ],
  ['a link of root that the user can have moved there', (home, target) => symlinkSync(target, join(home, 'data'))],
  ['a dangling link', (home, target) => symlinkSync(join(target, 'made'), join(home, 'data'))],
])('in a directory of a user %s is not followed', (_, plant) => {
  const base = temporary();
  const [home, target] = [join(base, 'home'), join(base, 'etc')];
  mkdirSync(home);
  mkdirSync(target);
  chownSync(home, ALICE, ALICE);
  plant(home, target);
  expect(thrownBy(() => makeMissingDirectory(join(home, 'data/new'), AS))).toMatchObject({ errno: 40 });
  expect(thrownBy(() => makeMissingDirectory(join(home, 'data'), AS))).toSatisfy(
    (error) => error === null || (error as { errno: number }).errno === 40,
  );
  expect(readdirSync(target)).toEqual([]);
});

test('in a world-writable directory only a link of root is followed', () => {
  const base = temporary();
  const [shared, target] = [join(base, 'shared'), join(base, 'target')];
  mkdirSync(shared);
  chmodSync(shared, 0o1777);
  mkdirSync(target);
  symlinkSync(target, join(shared, 'roots'));
  symlinkSync(target, join(shared, 'planted'));
  lchownSync(join(shared, 'planted'), ALICE, ALICE);
  makeMissingDirectory(join(shared, 'roots/new'), AS);
  expect(readdirSync(target)).toEqual(['new']);
  expect(thrownBy(() => makeMissingDirectory(join(shared, 'planted/other'), AS))).toMatchObject({ errno: 40 });
});

test('a file in the path is an error that names it, and stays', () => {
  const base = temporary();
  symlinkSync('/dev/null', join(base, 'null'));
  expect(thrownBy(() => makeMissingDirectory(join(base, 'null/x'), AS))).toMatchObject({ errno: 20 });
  expect(lstatSync(join(base, 'null')).isSymbolicLink()).toBe(true);
});
