import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { DesiredState } from '../../../src/model/desired.ts';
import { ContentStore } from '../../../src/state/content-store.ts';
import { StateFiles } from '../../../src/state/durable.ts';
import { type History, openHistory } from '../../../src/state/history/history.ts';
import { Reserve } from '../../../src/state/reserve.ts';
import { KeptContents } from '../../../src/supervisor/kept-contents.ts';
import { Sources } from '../../../src/supervisor/sources.ts';
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

function sourcesOn(history: History, changes: DesiredState[] = []): Sources {
  const store = new ContentStore(directory(), new StateFiles(directory()));
  return new Sources({
    history,
    kept: new KeptContents(history, store, 10),
    hasImage: () => true,
    copiesInUse: () => new Set(),
    reserve: new Reserve(join(directory(), 'reserve')),
    clock: { now: () => ({ wallMs: 1000, bootMs: 1000 }) },
    directory: '/m',
    resolve: {
      readFile: (path) => ({ ok: false, reason: 'missing', message: `${path}: no such file` }),
      settle: async () => {},
      hashSecret: (bytes) => bytes.toString('hex'),
      defaultHostIp: '0.0.0.0',
    },
    onChange: (state) => changes.push(state),
  });
}

const file = (path: string, text: string) => ({ path, content: { ok: true as const, text } });
const look = (...files: ReturnType<typeof file>[]) => ({ files, loss: 'none' as const, inputsChanged: false });

describe('a manifest that was accepted by another version and cannot be used by this one', () => {
  test('leaves what runs of its app alone, until it is put right', async () => {
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
    await sources.watch(look(file('/m/blog.yaml', 'volumes: { data: { fromTheFuture: 2 } }\n')));
    expect([...(sources.state.untouched ?? [])]).toEqual(['blog']);
    await sources.watch(look(file('/m/blog.yaml', 'volumes: { data: {} }\n')));
    expect([...(sources.state.untouched ?? [])]).toEqual([]);
    expect([...sources.state.resources.keys()]).toEqual(['volume/blog/data']);
    expect(changes).toHaveLength(1);
  });

  test('an app that never was accepted is not protected', async () => {
    const sources = sourcesOn(open());
    await sources.watch(look(file('/m/blog.yaml', 'volumes: { data: { x: 1 } }\n')));
    expect(sources.state.untouched?.size ?? 0).toBe(0);
  });
});

test('a generation voids what was approved of the resources it declares, and nothing else', async () => {
  const history = open();
  const sources = sourcesOn(history);
  history.approvals.grant('volume/a/one', 0);
  history.approvals.grant('volume/a/two', 0);
  await sources.watch(look(file('/m/a.yaml', 'volumes: { one: { onRemove: delete } }\n'), file('/m/b.yaml', '')));
  await sources.watch(look(file('/m/b.yaml', 'volumes: { three: {} }\n')));
  expect([...history.approvals.all()]).toEqual(['volume/a/two']);
});

test('a generation voids what was approved of the anonymous volumes of containers it declares', async () => {
  const history = open();
  const sources = sourcesOn(history);
  history.approvals.grant('volume/a/web:3f2a3f2a3f2a', 0);
  history.approvals.grant('volume/a/other:3f2a3f2a3f2a', 0);
  history.approvals.grant('volume/b/web:3f2a3f2a3f2a', 0);
  const web = 'images: { busybox: { archive: /b.tar } }\ncontainers: { web: { image: busybox } }\n';
  await sources.watch(look(file('/m/a.yaml', web), file('/m/b.yaml', '')));
  expect([...sources.state.resources.keys()]).toContain('container/a/web');
  expect([...history.approvals.all()].sort()).toEqual(['volume/a/other:3f2a3f2a3f2a', 'volume/b/web:3f2a3f2a3f2a']);
});

test('a file of the watched directory is tried in its own place', async () => {
  const sources = sourcesOn(open());
  await sources.watch(look(file('/m/a.yaml', 'volumes: { one: {} }\n'), file('/m/b.yaml', '')));
  const input = { file: '/m/a.yaml', baseDir: '/m', text: 'volumes: { two: {} }\n' };
  const tried = sources.preview([input]);
  expect(sources.inputIssues([input], tried)).toEqual([]);
  expect([...sources.inputApps([input], tried)]).toEqual(['a']);
  expect([...tried.state.resources.keys()]).toEqual(['volume/a/two']);
  expect([...sources.state.resources.keys()]).toEqual(['volume/a/one']);
});

describe('rollback with hold', () => {
  const text = (driver: string) => `volumes: { ${driver}: {} }\n`;
  const keys = (sources: Sources) => [...sources.state.resources.keys()];

  test('brings back what a removed file declared and takes out what a new one does, over a restart', async () => {
    const history = open();
    const sources = sourcesOn(history);
    await sources.watch(look(file('/m/a.yaml', text('one')), file('/m/b.yaml', text('two'))));
    await sources.watch(look(file('/m/a.yaml', text('one')), file('/m/c.yaml', text('three'))));
    expect(keys(sources)).toEqual(['volume/a/one', 'volume/c/three']);
    expect(() => sources.rollback(1, false, null)).toThrow('/m/b.yaml, /m/c.yaml differ from generation 1');
    expect(sources.rollback(1, true, null)).toEqual([]);
    expect(keys(sources)).toEqual(['volume/a/one', 'volume/b/two']);

    const again = sourcesOn(history);
    await again.watch(look(file('/m/a.yaml', text('one')), file('/m/c.yaml', text('three'))));
    expect(keys(again)).toEqual(['volume/a/one', 'volume/b/two']);
    expect(again.views().map(({ file: path, state }) => [path, state])).toEqual(
      expect.arrayContaining([
        ['/m/a.yaml', 'Active'],
        ['/m/b.yaml', 'Held'],
        ['/m/c.yaml', 'Held'],
      ]),
    );
    expect(again.approvePins(['c'], null)).toEqual(['c']);
    expect(keys(again)).toEqual(['volume/a/one', 'volume/b/two', 'volume/c/three']);
    await again.watch(
      look(file('/m/a.yaml', text('one')), file('/m/b.yaml', text('new')), file('/m/c.yaml', text('three'))),
    );
    expect(keys(again)).toEqual(['volume/a/one', 'volume/b/new', 'volume/c/three']);
  });
});
