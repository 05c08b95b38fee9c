/** What is kept of history.db when a version with another schema takes it over. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, expect, it } from 'vitest';
import { openHistory } from '../../../src/state/history/history.ts';
import { MIGRATIONS, migrate } from '../../../src/state/history/migrations.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('history-copy');
const mounted: string[] = [];
afterEach(() => {
  for (const path of mounted.splice(0)) execFileSync('umount', [path]);
});

const NETWORK = "INSERT INTO networks VALUES ('network/a/n', 'h', '{}', 1, 'br', '10.80.0.0/24', '10.80.0.1')";

/** A database as a version left it that knew the first `version` migrations, with what is in its log only. */
function leftBy(version: number, path: string): void {
  const database = new Database(path);
  database.pragma('journal_mode = WAL');
  migrate(database, MIGRATIONS.slice(0, version));
  if (version <= 11) database.exec(NETWORK);
  database.close();
}

function versionOf(path: string): unknown {
  const database = new Database(path, { readonly: true });
  const version = database.pragma('user_version', { simple: true });
  database.close();
  return version;
}

it('the database is kept as it was, readable by the version that wrote it, before its schema changes', () => {
  const path = join(directory(), 'history.db');
  leftBy(11, path);
  openHistory(path).close();
  const copy = `${path}.schema-11`;
  expect(statSync(copy).mode & 0o777).toBe(0o600);
  expect([versionOf(copy), versionOf(path)]).toEqual([11, MIGRATIONS.length]);
  const kept = new Database(copy, { readonly: true });
  expect(kept.prepare('SELECT bridge, subnet FROM networks').all()).toEqual([{ bridge: 'br', subnet: '10.80.0.0/24' }]);
  kept.close();
});

it('no copy is made of a new database, nor of one with the present schema', () => {
  const path = join(directory(), 'history.db');
  openHistory(path).close();
  openHistory(path).close();
  expect(readdirSync(join(path, '..'))).toEqual(['history.db']);
});

it('copies of the last three schemas are kept, and what an interrupted copy left goes', () => {
  const path = join(directory(), 'history.db');
  for (const version of [2, 3, 4, 5]) writeFileSync(`${path}.schema-${version}`, '');
  leftBy(11, path);
  writeFileSync(`${path}.schema-11.tmp`, 'half a copy');
  openHistory(path).close();
  expect(readdirSync(join(path, '..')).sort()).toEqual([
    'history.db',
    'history.db.schema-11',
    'history.db.schema-4',
    'history.db.schema-5',
  ]);
});

it('where there is no room for the copy, the start ends with an error and nothing is changed', () => {
  const small = join(directory(), 'small');
  mkdirSync(small);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', small]);
  mounted.push(small);
  const path = join(small, 'history.db');
  leftBy(11, path);
  // What its log needs is there.
  const free = Number(execFileSync('df', ['-k', '--output=avail', small], { encoding: 'utf8' }).split('\n')[1]);
  writeFileSync(join(small, 'rest'), Buffer.alloc((free - 64) * 1024));
  expect(() => openHistory(path)).toThrow(
    expect.objectContaining({
      code: 'TSD_DISK_FULL',
      message: `${path} stays as the earlier version left it: a copy of it cannot be kept as ${path}.schema-11: the disk is full`,
      hint: expect.stringContaining('df -h'),
    }),
  );
  expect(existsSync(`${path}.schema-11.tmp`)).toBe(false);
  expect(versionOf(path)).toBe(11);
});
