/** history.db and the second copies of declarations: killed at any point, they agree at the next start. */
import fs, { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { NETWORK_DRIVERS_OF_MANIFESTS } from '../../../src/composition/network-drivers.ts';
import { ContentStore } from '../../../src/state/content-store.ts';
import { DeclarationCopies } from '../../../src/state/databases/declaration-copies.ts';
import { StateFiles } from '../../../src/state/files/durable.ts';
import { Reserve } from '../../../src/state/files/reserve.ts';
import { type History, openHistory } from '../../../src/state/history/history.ts';
import { settleDeclarations } from '../../../src/supervisor/declarations/start.ts';
import { stateOfGeneration } from '../../../src/supervisor/sources/generation-record.ts';
import { KeptContents } from '../../../src/supervisor/sources/kept-contents.ts';
import { Sources } from '../../../src/supervisor/sources/sources.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('declarations');
const opened: History[] = [];
afterEach(() => {
  for (const history of opened.splice(0)) history.close();
});

const RESOLVE = {
  readFile: (path: string) => ({ ok: false, reason: 'missing', message: `${path}: no such file` }) as const,
  settle: async () => {},
  hashSecret: (bytes: Buffer) => bytes.toString('hex'),
  defaultHostIp: '0.0.0.0',
  networkDrivers: NETWORK_DRIVERS_OF_MANIFESTS,
};

function start(root: string) {
  // As every start does it.
  rmSync(join(root, 'tmp'), { recursive: true, force: true });
  mkdirSync(join(root, 'tmp'));
  const files = new StateFiles(join(root, 'tmp'));
  const history = openHistory(join(root, 'history.db'));
  opened.push(history);
  const declarations = new DeclarationCopies(root, files, 'abcdef');
  const stores = { history, declarations, containers: { all: () => [] }, volumes: { all: () => [] } };
  const settled = settleDeclarations(stores, (n) => stateOfGeneration(history, RESOLVE, n), 1);
  const sources = new Sources({
    history,
    declarations,
    kept: new KeptContents(history, new ContentStore(root, files), 10),
    hasImage: () => true,
    copiesInUse: () => new Set(),
    reserve: new Reserve(join(root, 'reserve')),
    clock: { now: () => ({ wallMs: 1000, bootMs: 1000 }) },
    directory: '/m',
    resolve: RESOLVE,
    onChange: () => {},
  });
  return { history, declarations, sources, settled };
}

const input = (app: string, volume: string) => {
  return { file: `/a/${app}.yaml`, baseDir: '/a', text: `volumes: { ${volume}: {} }\n` };
};

const inForce = ({ sources }: ReturnType<typeof start>) => [...sources.state.resources.keys()].sort();

/** What the copies on the disk declare. */
function copied(root: string): string[] {
  const copies = new DeclarationCopies(root, new StateFiles(join(root, 'tmp')), 'abcdef');
  expect(copies.issues).toEqual([]);
  return [...copies.all().values()].flatMap(({ declaration }) => Object.keys(declaration.specs)).sort();
}

const ORIGINALS = Object.entries(fs).filter(([name, member]) => typeof member === 'function' && name.endsWith('Sync'));

/** From its n-th call of node:fs on this process is dead to the disk. Returns whether it lived. */
function dyingAt(n: number, act: () => void): boolean {
  let calls = 0;
  const module = fs as unknown as Record<string, unknown>;
  for (const [name, original] of ORIGINALS) {
    module[name] = (...args: unknown[]): unknown => {
      calls += 1;
      if (calls >= n) throw new Error('killed');
      return (original as (...args: unknown[]) => unknown)(...args);
    };
  }
  syncBuiltinESMExports();
  try {
    act();
  } catch (error) {
    if (calls < n) throw error;
  } finally {
    Object.assign(fs, Object.fromEntries(ORIGINALS));
    syncBuiltinESMExports();
  }
  return calls < n;
}

describe('a supervisor killed at any point', () => {
  const changes: Readonly<Record<string, (sources: Sources) => void>> = {
    'of an apply of two apps': (sources) => sources.apply([input('shop', 'two'), input('blog', 'two')], null),
    'of a removal': (sources) => sources.remove(['/a/shop.yaml'], [], { cause: 'removed', by: null }),
  };
  test.each(Object.entries(changes))('%s leaves copies that the next start repairs', (_, change) => {
    const outcomes = new Set<string>();
    let lived = false;
    for (let call = 1; !lived && call < 200; call++) {
      const root = directory();
      start(root).sources.apply([input('shop', 'one'), input('calm', 'one')], null);
      const { sources } = start(root);
      lived = dyingAt(call, () => change(sources));
      const next = start(root);
      expect(next.settled).toBeNull();
      expect(next.sources.isUncertain).toBe(false);
      expect(copied(root)).toEqual(inForce(next));
      outcomes.add(inForce(next).join(' '));
    }
    expect(lived).toBe(true);
    // Before and after, and nothing else.
    expect(outcomes.size).toBe(2);
  });
});

test('a copy costs one fsync for each changed app, and one for all together', () => {
  const root = directory();
  const { sources, declarations } = start(root);
  const apps = Array.from({ length: 10 }, (_, index) => input(`app${index}`, 'one'));
  sources.apply(apps, null);
  let before = declarations.syncs;
  sources.apply(
    apps.slice(0, 3).map(({ file }) => ({ ...input('', 'two'), file })),
    null,
  );
  expect(declarations.syncs - before).toBe(3 + 1);
  before = declarations.syncs;
  sources.apply(apps.slice(3), null);
  expect(declarations.syncs - before).toBe(0);
  before = declarations.syncs;
  sources.remove(['/a/app9.yaml'], [], { cause: 'removed', by: null });
  // That something went is written down once, however many went.
  expect(declarations.syncs - before).toBe(1 + 1);
});

test('copies have the access rights of the store', () => {
  const root = directory();
  start(root).sources.apply([input('shop', 'one')], null);
  const path = join(root, 'declarations');
  expect(statSync(path).mode & 0o777).toBe(0o700);
  for (const name of readdirSync(path)) expect([name, statSync(join(path, name)).mode & 0o777]).toEqual([name, 0o600]);
});

test('a torn copy is kept aside and written again', () => {
  const root = directory();
  start(root).sources.apply([input('shop', 'one')], null);
  const path = join(root, 'declarations/shop.json');
  fs.truncateSync(path, 40);
  const next = start(root);
  expect(next.settled).toBeNull();
  expect(next.declarations.issues.map(({ error }) => error.message)).toEqual([
    expect.stringContaining(`kept as ${path}.damaged-1`),
  ]);
  expect(copied(root)).toEqual(['volume/shop/one']);
});
