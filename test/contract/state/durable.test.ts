import { existsSync, linkSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { rewriteInPlace, StateFiles } from '../../../src/state/files/durable.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('durable');
let base = '';
let files: StateFiles;
beforeEach(() => {
  base = directory();
  mkdirSync(join(base, 'tmp'));
  files = new StateFiles(join(base, 'tmp'));
});

const path = (name: string): string => join(base, name);
const read = (name: string): string => readFileSync(path(name), 'utf8');
const leftovers = (): string[] => readdirSync(join(base, 'tmp'));

describe('replacing a file', () => {
  it('gives it a new inode and its mode, and leaves nothing else', () => {
    writeFileSync(path('a'), 'old');
    linkSync(path('a'), path('old'));
    files.replace(path('a'), 'new', 0o640);
    expect([read('a'), read('old')]).toEqual(['new', 'old']);
    expect(statSync(path('a')).mode & 0o777).toBe(0o640);
    expect(leftovers()).toEqual([]);
  });

  it('keeps the old content when it fails', () => {
    mkdirSync(path('a'));
    expect(() => files.replace(path('a'), 'new', 0o600)).toThrow(
      expect.objectContaining({ code: 'TSD_SYSCALL', step: `rename ${path('a')}` }),
    );
    expect(statSync(path('a')).isDirectory()).toBe(true);
    expect(leftovers()).toEqual([]);
  });
});

it('rewrites in place for readers that hold the inode', () => {
  writeFileSync(path('hosts'), 'a long old text\n');
  const { ino } = statSync(path('hosts'));
  rewriteInPlace(path('hosts'), 'short\n', 0o644);
  expect([read('hosts'), statSync(path('hosts')).ino]).toEqual(['short\n', ino]);
});

describe('a group commit', () => {
  it('is atomic', async () => {
    const batch = files.batch();
    mkdirSync(path('tmp/d'));
    writeFileSync(path('tmp/d/f'), '1');
    const published: string[] = [];
    batch.directory(path('tmp/d'), path('d'), [path('tmp/d/f')], { published: () => published.push('d') });
    batch.file(path('a'), { content: 'A', mode: 0o600, published: () => published.push('a') });
    expect([existsSync(path('a')), existsSync(path('d')), published]).toEqual([false, false, []]);
    await batch.commit();
    expect([read('a'), read('d/f'), published]).toEqual(['A', '1', ['d', 'a']]);
    expect(leftovers()).toEqual([]);
    // Three contents (file, directory, its file) and the one directory that both were renamed into.
    expect(batch.syncs).toBe(4);
  });

  it('writes the final content, and nothing for a removed file', async () => {
    const batch = files.batch();
    const published: string[] = [];
    const file = (name: string, latest: string | null): void =>
      batch.file(path(name), {
        content: 'first',
        mode: 0o600,
        latest: () => latest,
        published: () => published.push(name),
      });
    file('a', 'second');
    file('b', null);
    await batch.commit();
    expect([read('a'), existsSync(path('b')), published]).toEqual(['second', false, ['a']]);
    expect(leftovers()).toEqual([]);
  });

  it('keeps what it did before a failure and removes the rest', async () => {
    const batch = files.batch();
    mkdirSync(path('b'));
    for (const name of ['a', 'b', 'c']) batch.file(path(name), { content: name, mode: 0o600 });
    await expect(batch.commit()).rejects.toMatchObject({ code: 'TSD_SYSCALL', step: `rename ${path('b')}` });
    expect([existsSync(path('a')), existsSync(path('c'))]).toEqual([true, false]);
    expect(leftovers()).toEqual([]);
  });

  it('leaves nothing when abandoned', () => {
    const batch = files.batch();
    batch.file(path('a'), { content: 'A', mode: 0o600 });
    batch.abandon();
    expect([existsSync(path('a')), leftovers()]).toEqual([false, []]);
  });
});
