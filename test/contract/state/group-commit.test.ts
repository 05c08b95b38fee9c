/** Durable changes of several callers in one commit: a failure takes only its own caller's with it. */
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Changes } from '../../../src/reconcile/group-commit.ts';
import { GroupCommit } from '../../../src/reconcile/group-commit.ts';
import { JoinedTransactions } from '../../../src/state/databases/joined-transactions.ts';
import { StateFiles } from '../../../src/state/files/durable.ts';
import { type History, openHistory } from '../../../src/state/history/history.ts';
import { LinkGraph } from '../../../src/state/link-graph.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('group-commit');
const NETWORK = 'network/blog/front';

let base = '';
let links: LinkGraph;
let history: History;
let commits: GroupCommit;
beforeEach(() => {
  base = directory();
  mkdirSync(join(base, 'tmp'));
  links = new LinkGraph(join(base, 'linkgraph.db'));
  history = openHistory(join(base, 'history.db'));
  commits = new GroupCommit({ files: new StateFiles(join(base, 'tmp')), links, history });
});
afterEach(() => {
  links.close();
  history.close();
});

const lease = (container: string): (() => void) => {
  const addresses = [{ network: NETWORK, container, address: `10.0.0.${container.length}` }];
  return () =>
    history.leases.write({ containers: new Set([container]), addresses, ports: [], last: [], goneNetworks: [] });
};

/** Everything that one caller changes, with something that fails at the end of one part. */
function changes(name: string, failing?: keyof Changes): Changes {
  const fail = (part: keyof Changes): void => {
    if (part === failing) throw new Error(`no ${part} for ${name}`);
  };
  return {
    files: (batch) => {
      batch.file(join(base, name), { content: name, mode: 0o600 });
      fail('files');
    },
    names: () => {
      links.set(`/${name}`, `id-of-${name}`);
      fail('names');
    },
    history: () => {
      lease(name)();
      fail('history');
    },
  };
}

const kept = (name: string): readonly boolean[] => [
  existsSync(join(base, name)),
  links.get(`/${name}`) !== null,
  history.leases.addresses().some(({ container }) => container === name),
];

it.each([
  ['files', [false, false, false]],
  // History is first: what a later part refuses leaves it, as a crash between the two would.
  ['names', [false, false, true]],
  ['history', [false, false, false]],
] as const)('keeps nothing of a failed %s and everything else', async (failing, expected) => {
  const results = await Promise.allSettled([
    commits.commit(changes('a')),
    commits.commit(changes('bad', failing)),
    commits.commit(changes('ccccc')),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(results[1]).toMatchObject({ reason: { message: `no ${failing} for bad` } });
  expect([kept('a'), kept('bad'), kept('ccccc')]).toEqual([[true, true, true], expected, [true, true, true]]);
  expect(readdirSync(join(base, 'tmp'))).toEqual([]);
});

it('reports each result when a rename fails', async () => {
  mkdirSync(join(base, 'bad'));
  const results = await Promise.allSettled(['a', 'bad', 'ccccc'].map((name) => commits.commit(changes(name))));
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  expect(results[1]).toMatchObject({ reason: { step: `rename ${join(base, 'bad')}` } });
  expect([existsSync(join(base, 'a')), existsSync(join(base, 'ccccc')), readdirSync(join(base, 'tmp'))]).toEqual([
    true,
    true,
    [],
  ]);
});

it('reports each result when an fsync fails', async () => {
  const lost: Changes = {
    files: (batch) => {
      mkdirSync(join(base, 'tmp', 'd'));
      batch.directory(join(base, 'tmp', 'd'), join(base, 'd'), [join(base, 'tmp', 'd', 'lost')]);
    },
  };
  const results = await Promise.allSettled([commits.commit(changes('a')), commits.commit(lost)]);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
  expect([existsSync(join(base, 'a')), existsSync(join(base, 'd')), readdirSync(join(base, 'tmp'))]).toEqual([
    true,
    false,
    [],
  ]);
});

it('does not fail members without names when names cannot be committed', async () => {
  links.close();
  const results = await Promise.allSettled([
    commits.commit(changes('a')),
    commits.commit({ history: lease('bb') }),
    commits.commit({ files: (batch) => batch.file(join(base, 'c'), { content: 'c', mode: 0o600 }) }),
  ]);
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled', 'fulfilled']);
  expect([existsSync(join(base, 'a')), existsSync(join(base, 'c'))]).toEqual([false, true]);
});

it('leaves no file when names cannot be committed', async () => {
  links.close();
  await expect(commits.commit(changes('a'))).rejects.toThrow();
  expect([existsSync(join(base, 'a')), readdirSync(join(base, 'tmp'))]).toEqual([false, []]);
});

it('keeps nothing when SQLite rolls the whole transaction back, as on a full disk', async () => {
  const database = new Database(join(base, 'joined.db'));
  const prepared = database.exec('CREATE TABLE taken (name INTEGER PRIMARY KEY); INSERT INTO taken VALUES (1)');
  const transactions = new JoinedTransactions(prepared);
  const durable = <T>(statements: () => T): T => transactions.run('immediate', statements);
  const group = new GroupCommit({ files: new StateFiles(join(base, 'tmp')), links, history: { durable } });
  const add = (name: number) => ({
    history: () => durable(() => database.prepare('INSERT OR ROLLBACK INTO taken VALUES (?)').run(name)),
  });
  const results = await Promise.allSettled([group.commit(add(2)), group.commit(add(1)), group.commit(add(3))]);
  const rows = database.prepare('SELECT name FROM taken').pluck().all();
  expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
  for (const result of results) expect(result).toMatchObject({ reason: { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' } });
  expect(rows).toEqual([1]);
  await group.commit(add(4));
  expect(database.prepare('SELECT name FROM taken').pluck().all()).toEqual([1, 4]);
  database.close();
});
