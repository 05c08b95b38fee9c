/** Messages for a failing disk under a database, or a damaged file. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, expect, test } from 'vitest';
import { type History, openHistory } from '../../../src/state/history/history.ts';
import { LinkGraph } from '../../../src/state/link-graph.ts';
import { failFilesystem } from '../../support/failing-filesystem.ts';
import { LoopDisk } from '../../support/loop-disk.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('database');
const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function disk(): LoopDisk {
  const made = new LoopDisk(16 * 1024 ** 2);
  cleanups.push(() => made.remove());
  return made;
}

function history(path: string) {
  const opened = openHistory(path);
  cleanups.push(() => opened.close());
  return opened;
}

function links(path: string) {
  const opened = new LinkGraph(path);
  cleanups.push(() => opened.close());
  return opened;
}

function grab(path: string): Database.Database {
  const other = new Database(path);
  cleanups.push(() => void other.close());
  other.exec('BEGIN IMMEDIATE');
  return other;
}

const OP = { reconcileId: 'r', opId: 'o', op: 'image.load', key: 'image/blog/app', cause: 'new' } as const;

const append = ({ generations }: History) =>
  generations.append(
    {
      cause: 'edited',
      createdAtMs: 1,
      pins: { apps: {}, images: {}, content: {} },
      changes: { files: [], resources: [] },
    },
    [],
  );

/** Where the rows of a table begin, in bytes of the file. */
function placeOf(path: string, table: string): { readonly at: number; readonly size: number } {
  const database = new Database(path);
  const page = database.prepare<[string], number>('SELECT rootpage FROM sqlite_master WHERE name = ?').pluck();
  const [number, size] = [page.get(table) as number, database.pragma('page_size', { simple: true }) as number];
  database.close();
  return { at: (number - 1) * size, size };
}

/** Writes nonsense over it. Another process does: a descriptor that is closed gives up the locks of this one. */
function damage(path: string, { at, size }: { readonly at: number; readonly size: number }): void {
  execFileSync('dd', [`of=${path}`, `bs=${size}`, 'conv=notrunc', `seek=${at}`, 'oflag=seek_bytes', 'status=none'], {
    input: Buffer.alloc(size, 0xee),
  });
}

/** How many record locks this process holds. */
const locks = (): number =>
  readFileSync('/proc/locks', 'utf8')
    .split('\n')
    .filter((line) => line.split(/\s+/)[1] === 'POSIX' && line.split(/\s+/)[4] === `${process.pid}`).length;

/** Expects a failure of this form: the file, what was being done, what SQLite says, and a command that helps. */
function expectTold(act: () => unknown, expected: { code: string; step: string; says: RegExp; hint: RegExp }): void {
  expect(act).toThrow(
    expect.objectContaining({
      name: 'TsdError',
      code: expected.code,
      step: expected.step,
      message: expect.stringMatching(new RegExp(`^${expected.step}: ${expected.says.source}$`)),
      hint: expect.stringMatching(expected.hint),
    }),
  );
}

test('a failing disk', () => {
  const { path } = disk();
  const [historyFile, linksFile] = [join(path, 'history.db'), join(path, 'linkgraph.db')];
  const [opened, graph] = [history(historyFile), links(linksFile)];
  failFilesystem(path);
  const failing = {
    code: 'TSD_SYSCALL',
    says: /disk I\/O error \(SQLITE_IOERR\w*\)/,
    hint: /`dmesg`.*`systemctl restart/,
  };
  expectTold(() => opened.approvals.grant('volume/blog/data', 1), { ...failing, step: `write ${historyFile}` });
  expectTold(() => opened.journal.begin(OP, 1), { ...failing, step: `write ${historyFile}` });
  // These read first, and SQLite takes that for a damaged file.
  const unread = { ...failing, says: /EIO/ };
  expectTold(() => graph.set('/web', 'web-id'), { ...unread, step: `write ${linksFile}` });
  expectTold(() => graph.get('/web'), { ...unread, step: `read ${linksFile}` });
  expectTold(() => openHistory(historyFile), { ...failing, says: /.*/, step: `open ${historyFile}` });
  expectTold(() => new LinkGraph(linksFile), { ...failing, says: /.*/, step: `open ${linksFile}` });
});

test('the current generation number needs no disk access', () => {
  const { path } = disk();
  const file = join(path, 'history.db');
  const opened = history(file);
  expect(opened.generations.currentNumber()).toBe(0);
  // After a write of another process the database is read from the disk, not from memory.
  const other = new Database(file);
  other.exec("INSERT INTO approvals VALUES ('volume/blog/data', 1)");
  other.close();
  failFilesystem(path);
  expect(() => opened.generations.current()).toThrow(`read ${file}: EIO`);
  expect(opened.generations.currentNumber()).toBe(0);
  expect(() => append(opened)).toThrow(`write ${file}: `);
  expect(opened.generations.currentNumber()).toBe(0);
});

test('a generation whose commit fails is not the current one', () => {
  const { path } = disk();
  const opened = history(join(path, 'history.db'));
  append(opened);
  expect(() =>
    opened.durable(() => {
      append(opened);
      expect(opened.generations.currentNumber()).toBe(2);
      failFilesystem(path);
    }),
  ).toThrow(/^write .*SQLITE_IOERR/);
  expect(opened.generations.currentNumber()).toBe(1);
});

test('a file that cannot be opened', () => {
  const path = join(directory(), 'history.db');
  mkdirSync(path);
  expectTold(() => openHistory(path), {
    code: 'TSD_SYSCALL',
    step: `open ${path}`,
    says: /unable to open database file \(SQLITE_CANTOPEN\w*\)/,
    hint: new RegExp(`^\`ls -ld ${path}\``),
  });
});

test('a damaged page anywhere in the file is found at open', () => {
  const path = join(directory(), 'history.db');
  openHistory(path).close();
  damage(path, placeOf(path, 'approvals'));
  const before = readFileSync(path);
  const opened = history(path);
  expect(opened.issues.map(({ error: { message } }) => message)).toEqual([
    expect.stringMatching(
      new RegExp(`^${path} is damaged: .*page \\d+.*; kept as ${path}.damaged-1, a new one was made$`),
    ),
  ]);
  expect(readFileSync(`${path}.damaged-1`)).toEqual(before);
  opened.approvals.grant('volume/blog/data', 1);
  expect([...opened.approvals.all()]).toEqual(['volume/blog/data']);
});

test('a truncated file with the WAL of a killed supervisor is reported as truncated and kept', () => {
  const path = join(directory(), 'history.db');
  openHistory(path).close();
  const left = join(directory(), 'history.db');
  const writer = history(path);
  append(writer);
  copyFileSync(`${path}-wal`, `${left}-wal`);
  writeFileSync(left, readFileSync(path).subarray(0, 2 * 4096));
  const opened = history(left);
  expect(opened.issues.map(({ error: { message } }) => message)).toEqual([
    expect.stringMatching(/ is truncated: it has 8192 of \d+ bytes; kept as /),
  ]);
  append(opened);
  expect(opened.generations.current()?.n).toBe(1);
});

test('tables that are damaged after the open', () => {
  const path = join(directory(), 'history.db');
  openHistory(path).close();
  const place = placeOf(path, 'approvals');
  const opened = history(path);
  // What another one writes makes this process read its pages again.
  const other = new Database(path);
  cleanups.push(() => void other.close());
  other.exec("INSERT INTO texts VALUES ('a', 'b')");
  damage(path, place);
  expect(opened.issues).toEqual([]);
  const damaged = {
    code: 'TSD_STATE_CORRUPT',
    says: /database disk image is malformed \(SQLITE_CORRUPT\w*\)/,
    hint: new RegExp(`dmesg.*systemctl stop tsdocker.*move ${path}\\* away`),
  };
  const locked = locks();
  expect(locked).not.toBe(0);
  expectTold(() => opened.approvals.all(), { ...damaged, step: `read ${path}` });
  expectTold(() => opened.approvals.grant('volume/blog/data', 1), { ...damaged, step: `write ${path}` });
  // Without its locks any other process that looks into the file would take the write-ahead log away.
  expect(locks()).toBe(locked);
});

test('another process that keeps writing', () => {
  const base = directory();
  const [historyFile, linksFile] = [join(base, 'history.db'), join(base, 'linkgraph.db')];
  const [opened, graph] = [history(historyFile), links(linksFile)];
  const busy = { code: 'TSD_SYSCALL', says: /database is locked \(SQLITE_BUSY\)/ };
  grab(historyFile);
  expectTold(() => opened.approvals.grant('volume/blog/data', 1), {
    ...busy,
    step: `write ${historyFile}`,
    hint: new RegExp(`fuser -v ${historyFile}.*Run the command again when`),
  });
  grab(linksFile);
  expectTold(() => graph.set('/web', 'web-id'), {
    ...busy,
    step: `write ${linksFile}`,
    hint: new RegExp(`fuser -v ${linksFile}.*Run the command again when`),
  });
});
