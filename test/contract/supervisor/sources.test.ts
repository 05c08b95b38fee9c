import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { NETWORK_DRIVERS_OF_MANIFESTS } from '../../../src/composition/network-drivers.ts';
import type { DesiredState } from '../../../src/model/desired.ts';
import { ContentStore } from '../../../src/state/content-store.ts';
import { DeclarationCopies } from '../../../src/state/databases/declaration-copies.ts';
import { StateFiles } from '../../../src/state/files/durable.ts';
import { Reserve } from '../../../src/state/files/reserve.ts';
import { type History, openHistory } from '../../../src/state/history/history.ts';
import { KeptContents } from '../../../src/supervisor/sources/kept-contents.ts';
import { Sources } from '../../../src/supervisor/sources/sources.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('sources');
const opened: History[] = [];
afterEach(() => {
  for (const history of opened.splice(0)) history.close();
});

function open(path = join(directory(), 'history.db')): History {
  const history = openHistory(path);
  opened.push(history);
  return history;
}

function sourcesOn(
  history: History,
  changes: DesiredState[] = [],
  files: Readonly<Record<string, string>> = {},
): Sources {
  const store = new ContentStore(directory(), new StateFiles(directory()));
  return new Sources({
    history,
    declarations: new DeclarationCopies(directory(), new StateFiles(directory()), 'abcdef'),
    kept: new KeptContents(history, store, 10),
    hasImage: () => true,
    copiesInUse: () => new Set(),
    reserve: new Reserve(join(directory(), 'reserve')),
    clock: { now: () => ({ wallMs: 1000, bootMs: 1000 }) },
    directory: '/m',
    resolve: {
      readFile: (path) => {
        const text = files[path];
        if (text === undefined) return { ok: false, reason: 'missing', message: `${path}: no such file` };
        return { ok: true, bytes: Buffer.from(text), owner: { mode: 0o644, uid: 0, gid: 0 } };
      },
      settle: async () => {},
      hashSecret: (bytes) => bytes.toString('hex'),
      defaultHostIp: '0.0.0.0',
      networkDrivers: NETWORK_DRIVERS_OF_MANIFESTS,
    },
    onChange: (state) => changes.push(state),
  });
}

const file = (path: string, text: string) => ({ path, content: { ok: true as const, text } });
const look = (...files: ReturnType<typeof file>[]) => ({ files, loss: 'none' as const, inputsChanged: false });

describe('a manifest that an earlier version accepted and this one cannot use', () => {
  test('leaves the containers of its app running until it is corrected', async () => {
    const history = open();
    const { id } = history.sources.record(
      { kind: 'watched', origin: '/m/blog.yaml', baseDir: '/m', text: 'volumes: { data: { fromTheFuture: 1 } }\n' },
      1,
    );
    const pins = { apps: {}, images: {}, content: {} };
    history.generations.append({ createdAtMs: 1, cause: 'x', pins, changes: { files: [], resources: [] } }, [id]);
    const changes: DesiredState[] = [];
    const sources = sourcesOn(history, changes);
    expect([...sources.state.resources]).toEqual([]);
    expect([...(sources.state.untouched ?? [])]).toEqual(['blog']);
    await sources.directory.watch(look(file('/m/blog.yaml', 'volumes: { data: { fromTheFuture: 2 } }\n')));
    expect([...(sources.state.untouched ?? [])]).toEqual(['blog']);
    await sources.directory.watch(look(file('/m/blog.yaml', 'volumes: { data: {} }\n')));
    expect([...(sources.state.untouched ?? [])]).toEqual([]);
    expect([...sources.state.resources.keys()]).toEqual(['volume/blog/data']);
    expect(changes).toHaveLength(1);
  });

  test('does not protect an app that was never accepted', async () => {
    const sources = sourcesOn(open());
    await sources.directory.watch(look(file('/m/blog.yaml', 'volumes: { data: { x: 1 } }\n')));
    expect(sources.state.untouched?.size ?? 0).toBe(0);
  });
});

test('a generation voids only approvals of the resources it declares', async () => {
  const history = open();
  const sources = sourcesOn(history);
  history.approvals.grant('volume/a/one', 0);
  history.approvals.grant('volume/a/two', 0);
  await sources.directory.watch(
    look(file('/m/a.yaml', 'volumes: { one: { onRemove: delete } }\n'), file('/m/b.yaml', '')),
  );
  await sources.directory.watch(look(file('/m/b.yaml', 'volumes: { three: {} }\n')));
  expect([...history.approvals.all()]).toEqual(['volume/a/two']);
});

test('a generation voids approvals of anonymous volumes of its containers', async () => {
  const history = open();
  const sources = sourcesOn(history);
  history.approvals.grant('volume/a/web:3f2a3f2a3f2a', 0);
  history.approvals.grant('volume/a/other:3f2a3f2a3f2a', 0);
  history.approvals.grant('volume/b/web:3f2a3f2a3f2a', 0);
  const web = 'images: { busybox: { archive: /b.tar } }\ncontainers: { web: { image: busybox } }\n';
  await sources.directory.watch(look(file('/m/a.yaml', web), file('/m/b.yaml', '')));
  expect([...sources.state.resources.keys()]).toContain('container/a/web');
  expect([...history.approvals.all()].sort()).toEqual(['volume/a/other:3f2a3f2a3f2a', 'volume/b/web:3f2a3f2a3f2a']);
});

test('a dry run reads a watched file in its own directory', async () => {
  const sources = sourcesOn(open());
  await sources.directory.watch(look(file('/m/a.yaml', 'volumes: { one: {} }\n'), file('/m/b.yaml', '')));
  const input = { file: '/m/a.yaml', baseDir: '/m', text: 'volumes: { two: {} }\n' };
  const tried = sources.preview([input]);
  expect(sources.inputIssues([input], tried)).toEqual([]);
  expect([...sources.inputApps([input], tried)]).toEqual(['a']);
  expect([...tried.state.resources.keys()]).toEqual(['volume/a/two']);
  expect([...sources.state.resources.keys()]).toEqual(['volume/a/one']);
});

describe('rollback --hold', () => {
  const text = (driver: string) => `volumes: { ${driver}: {} }\n`;
  const keys = (sources: Sources) => [...sources.state.resources.keys()];

  test('restores a removed file and drops a new one, also after a restart', async () => {
    const history = open();
    const sources = sourcesOn(history);
    await sources.directory.watch(look(file('/m/a.yaml', text('one')), file('/m/b.yaml', text('two'))));
    await sources.directory.watch(look(file('/m/a.yaml', text('one')), file('/m/c.yaml', text('three'))));
    expect(keys(sources)).toEqual(['volume/a/one', 'volume/c/three']);
    expect(() => sources.rollbacks.make(1, false, null)).toThrow('/m/b.yaml, /m/c.yaml differ from generation 1');
    expect(sources.rollbacks.make(1, true, null)).toEqual([]);
    expect(keys(sources)).toEqual(['volume/a/one', 'volume/b/two']);

    const again = sourcesOn(history);
    await again.directory.watch(look(file('/m/a.yaml', text('one')), file('/m/c.yaml', text('three'))));
    expect(keys(again)).toEqual(['volume/a/one', 'volume/b/two']);
    expect(again.views().map(({ file: path, state }) => [path, state])).toEqual(
      expect.arrayContaining([
        ['/m/a.yaml', 'Active'],
        ['/m/b.yaml', 'Held'],
        ['/m/c.yaml', 'Held'],
      ]),
    );
    expect(again.decisions.approvePins(['c'], null)).toEqual(['c']);
    expect(keys(again)).toEqual(['volume/a/one', 'volume/b/two', 'volume/c/three']);
    await again.directory.watch(
      look(file('/m/a.yaml', text('one')), file('/m/b.yaml', text('new')), file('/m/c.yaml', text('three'))),
    );
    expect(keys(again)).toEqual(['volume/a/one', 'volume/b/new', 'volume/c/three']);
  });
});

describe('an app applied by a version that pinned no files', () => {
  const text =
    'images: { b: { archive: /b.tar } }\ncontainers: { web: { image: b, volumes: [/conf:/conf:ro], envFile: [/env] } }\n';
  const applied = { kind: 'applied', origin: '/a/app.yaml', baseDir: '/a', text } as const;
  const input = { file: '/a/app.yaml', baseDir: '/a', text };
  const hashes = (sources: Sources) => sources.state.resources.get('container/app/web')?.contentHashes;

  test('follows its files until its next apply, and its generation then pins contents', async () => {
    const history = open();
    const files: Record<string, string> = { '/conf': 'one', '/env': 'A=1' };
    const { id } = history.sources.record(applied, 1);
    const seen = sourcesOn(open(), [], files);
    seen.apply([input], null);
    const content = { 'applied /a/app.yaml': hashes(seen) ?? {} };
    history.generations.append(
      { createdAtMs: 1, cause: 'x', pins: { apps: {}, images: {}, content }, changes: { files: [], resources: [] } },
      [id],
    );
    const sources = sourcesOn(history, [], files);
    await sources.directory.watch(look());
    expect([sources.generation, history.contents.kept()]).toEqual([1, [1]]);
    files['/conf'] = 'two';
    await sources.directory.watch(look());
    expect(sources.generation).toBe(2);
    const two = hashes(sources);
    expect(two).not.toEqual(hashes(seen));
    expect(sources.fileNotes()).toEqual([]);

    sources.apply([input], null);
    files['/conf'] = 'three';
    await sources.directory.watch(look());
    expect(hashes(sources)).toEqual(two);
    expect(sources.fileNotes()).toMatchObject([
      { kind: 'changed', message: `sources changed since generation ${sources.generation}: /conf` },
    ]);
    // A supervisor that starts has it from history.db.
    const again = sourcesOn(history, [], files);
    expect(hashes(again)).toEqual(two);
    expect(again.rollbacks.make(1, false, null)).toEqual([]);
    expect(hashes(again)).toEqual(hashes(seen));
  });

  test('ignores a pin of that version, whatever its files contain', async () => {
    const history = open();
    const files: Record<string, string> = { '/conf': 'one', '/env': 'A=1' };
    const watched = { kind: 'watched', origin: '/m/app.yaml', baseDir: '/m', text } as const;
    const { id } = history.sources.record(watched, 1);
    const pin = { kind: 'watched', origin: '/m/app.yaml', baseDir: '/m', heldBack: `${text}# later\n` } as const;
    const pins = { images: {}, content: {} };
    const changes = { files: [], resources: [] };
    history.generations.append({ createdAtMs: 1, cause: 'x', pins: { ...pins, apps: {} }, changes }, [id]);
    const apps = { app: { generation: 1, reason: 'failed', sources: [pin] } };
    history.generations.append({ createdAtMs: 2, cause: 'y', pins: { ...pins, apps }, changes }, [id]);
    const sources = sourcesOn(history, [], files);
    const one = hashes(sources);
    files['/conf'] = 'two';
    await sources.directory.watch(look(file('/m/app.yaml', pin.heldBack)));
    expect(sources.state.heldBack?.get('app')?.generation).toBe(1);
    expect(hashes(sources)).not.toEqual(one);
  });
});
