import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { StateFiles } from '../../../src/state/files/durable.ts';
import { DigestNames } from '../../../src/state/images/digest-names.ts';
import { GraphIndex } from '../../../src/state/images/graph-index.ts';
import { IMAGE_JSON, type ImageRecord } from '../../../src/state/images/image-record.ts';
import { RepositoryStore } from '../../../src/state/images/repositories.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('images');
const ID = '1a'.repeat(32);
const TOP = '2b'.repeat(32);

let root = '';
let files: StateFiles;
beforeEach(() => {
  root = directory();
  for (const name of ['tmp', 'graph']) mkdirSync(join(root, name));
  files = new StateFiles(join(root, 'tmp'));
});

const image: ImageRecord = {
  ...IMAGE_JSON.zero(),
  id: ID,
  parent: TOP,
  created: '2026-01-02T03:04:05Z',
  architecture: 'amd64',
  os: 'linux',
  checksum: `sha256:${ID}`,
  Size: 7,
  Tsdocker: {
    Layers: [{ ChainId: TOP, DiffId: '3c'.repeat(32), Size: 7 }],
    ConfigJson: '{"architecture":"amd64"}',
    Labels: { a: 'b' },
    StopSignal: 'SIGQUIT',
    Parent: '',
  },
};

async function add(graph: GraphIndex, record = image): Promise<void> {
  const batch = files.batch();
  graph.add(record, batch);
  await batch.commit();
}

describe('graph/', () => {
  it("stores an image in Docker's form, with our data in one key at the end", async () => {
    await add(new GraphIndex(root, files));
    const text = readFileSync(join(root, 'graph', ID, 'json'), 'utf8');
    expect(Object.keys(JSON.parse(text) as object)).toEqual([
      'id',
      'parent',
      'created',
      'container_config',
      'architecture',
      'os',
      'checksum',
      'Size',
      'Tsdocker',
    ]);
    expect(text.endsWith('}\n')).toBe(true);
    expect(readFileSync(join(root, 'graph', ID, 'layersize'), 'utf8')).toBe('7');
  });

  it('is the same after a restart and names the layers in use', async () => {
    await add(new GraphIndex(root, files));
    const graph = new GraphIndex(root, files);
    expect([graph.all(), graph.lookup('1a1'), graph.issues]).toEqual([[image], image, []]);
    expect(graph.layersInUse()).toEqual(new Set([ID, TOP]));
  });

  it('does not change an existing image and drops a removed one', async () => {
    const graph = new GraphIndex(root, files);
    await add(graph);
    await add(graph, { ...image, Size: 99 });
    expect(graph.get(ID)?.Size).toBe(7);
    await graph.remove(ID);
    await graph.remove(ID);
    expect([graph.all(), readdirSync(join(root, 'graph')), readdirSync(join(root, 'tmp'))]).toEqual([[], [], []]);
  });

  it('stores an image that several stage at the same time once, and all succeed', async () => {
    const graph = new GraphIndex(root, files);
    const batches = Array.from({ length: 4 }, () => files.batch());
    for (const batch of batches) graph.add(image, batch);
    const [first, second, ...rest] = batches;
    await Promise.all([first?.commit(), second?.commit()]);
    expect(await files.commitTogether(rest)).toEqual([undefined, undefined]);
    expect([graph.all(), readdirSync(join(root, 'tmp'))]).toEqual([[image], []]);
    expect(new GraphIndex(root, files).all()).toEqual([image]);
  });

  it('accepts an equal image of a concurrent writer and refuses a different one', async () => {
    const graph = new GraphIndex(root, files);
    const late = new GraphIndex(root, files);
    await add(new GraphIndex(root, files));
    await add(graph);
    expect([graph.all(), readdirSync(join(root, 'tmp'))]).toEqual([[image], []]);
    const another = { ...image, Tsdocker: image.Tsdocker && { ...image.Tsdocker, ConfigJson: '{}' } };
    await expect(add(late, another)).rejects.toThrow('exists already as another image');
    expect([late.all(), readdirSync(join(root, 'tmp'))]).toEqual([[], []]);
  });

  it.each<[string, string, () => void]>([
    ['a torn json', 'not complete JSON', () => writeFileSync(join(root, 'graph', ID, 'json'), '{"id"')],
    ['a missing json', 'is missing', () => rmSync(join(root, 'graph', ID, 'json'))],
    ['another id', `wrong id '${TOP}'`, () => writeFileSync(join(root, 'graph', ID, 'json'), `{"id":"${TOP}"}`)],
    ['a size that is none', 'decimal', () => writeFileSync(join(root, 'graph', ID, 'layersize'), '1e9')],
  ])('reports %s, and keeps it and its layer on disk', async (_what, message, damage) => {
    await add(new GraphIndex(root, files));
    damage();
    const graph = new GraphIndex(root, files);
    expect(graph.issues[0]?.error.message).toContain(message);
    expect([graph.all(), graph.layersInUse(), readdirSync(join(root, 'graph'))]).toEqual([[], new Set([ID]), [ID]]);
  });

  it('refuses an id that could be a path', () => {
    const graph = new GraphIndex(root, files);
    expect(() => graph.add({ ...image, id: '../../etc' }, files.batch())).toThrow("image ID '../../etc' is invalid");
  });
});

describe('repositories-<driver>', () => {
  const name = { repository: 'blog/web', tag: 'latest' };

  it('is written as Docker writes it', async () => {
    const store = new RepositoryStore(root, 'overlay', files);
    await Promise.all([
      store.set(name, ID, false),
      store.set({ repository: 'busybox', tag: 'v2' }, TOP, false),
      store.set({ repository: 'busybox', tag: 'v1' }, TOP, false),
    ]);
    expect(readFileSync(join(root, 'repositories-overlay'), 'utf8')).toBe(
      `{"Repositories":{"blog/web":{"latest":"${ID}"},"busybox":{"v1":"${TOP}","v2":"${TOP}"}}}`,
    );
  });

  it('moves a tag only by force and drops a repository with its last tag', async () => {
    const store = new RepositoryStore(root, 'overlay', files);
    await store.set(name, ID, false);
    await store.set(name, ID, false);
    await expect(store.set(name, TOP, false)).rejects.toMatchObject({ class: 'conflict' });
    await store.set(name, TOP, true);
    expect(store.get(name)).toBe(TOP);
    await store.delete(name);
    await store.delete(name);
    expect(store.all()).toEqual({});
  });

  it('reads foreign changes of the file and does not overwrite an unreadable one', async () => {
    const store = new RepositoryStore(root, 'overlay', files);
    writeFileSync(join(root, 'repositories-overlay'), `{"repositories":{"x":{"latest":"${ID}"}}}`);
    expect(store.get({ repository: 'x', tag: 'latest' })).toBe(ID);
    writeFileSync(join(root, 'repositories-overlay'), '{"Repositories":');
    await expect(store.set(name, ID, false)).rejects.toMatchObject({ code: 'TSD_STATE_CORRUPT' });
    expect(readFileSync(join(root, 'repositories-overlay'), 'utf8')).toBe('{"Repositories":');
  });

  it('finds a tag, an id within a repository, or an image of the graph', async () => {
    const store = new RepositoryStore(root, 'overlay', files);
    await store.set(name, ID, false);
    expect(store.lookup('blog/web', () => 'graph')).toBe(ID);
    expect(store.lookup('blog/web:1a1a', () => 'graph')).toBe(ID);
    expect(store.lookup('constructor', () => 'graph')).toBe('graph');
    expect(() => store.lookup('blog/web:zz', () => 'graph')).toThrow('no such id: blog/web:zz');
  });
});

describe('digest-names.json', () => {
  const name = `busybox@sha256:${'c'.repeat(64)}`;
  const other = `busybox@sha256:${'d'.repeat(64)}`;
  const all = () => true;

  it('keeps names for the next start, forgets those of images that are gone, and loses none to another', async () => {
    const store = new DigestNames(root, files);
    expect(store.get(name)).toBeNull();
    await Promise.all([store.add(name, ID, all), store.add(other, TOP, all)]);
    const next = new DigestNames(root, files);
    expect([next.get(name), next.get(other), next.namesOf(ID)]).toEqual([ID, TOP, [name]]);
    await next.delete(name);
    await next.delete(name);
    expect(next.namesOf(ID)).toEqual([]);
    await next.add(name, ID, (id) => id !== TOP);
    expect([store.get(name), store.get(other)]).toEqual([ID, null]);
  });

  it('does not take an unreadable file for one without names', async () => {
    const store = new DigestNames(root, files);
    writeFileSync(join(root, 'digest-names.json'), '{"Digests":');
    expect(() => store.get(name)).toThrow(expect.objectContaining({ code: 'TSD_STATE_CORRUPT' }));
    await expect(store.add(name, ID, all)).rejects.toMatchObject({ hint: expect.stringContaining('rm ') });
    expect(readFileSync(join(root, 'digest-names.json'), 'utf8')).toBe('{"Digests":');
  });
});
