import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GraphDriver } from '../../../src/drivers/contract/graph.ts';
import { createAufsDriver } from '../../../src/drivers/graph/aufs/aufs-driver.ts';
import { hasFilesystem } from '../../../src/ffi/storage/mounts.ts';
import { loadLayers } from '../../../src/images/layers.ts';
import { configJson, loadContext, type TarFixture, tarOf, temporaryDirectory } from '../../support/images.ts';
import { graphStoreSuite } from './store-suite.ts';
import { graphDriverSuite } from './suite.ts';

if (hasFilesystem('aufs')) graphDriverSuite('aufs', createAufsDriver);
else {
  graphStoreSuite('aufs', { create: createAufsDriver });
  describe('graph driver aufs', () => it.skip('the kernel has no aufs, so nothing is mounted'));
}

const IMAGE = '1'.repeat(64);
const CONTAINER = '2'.repeat(64);

describe('aufs on disk', () => {
  let temporary: ReturnType<typeof temporaryDirectory>;
  let graph: GraphDriver;
  const at = (...parts: string[]): string => join(temporary.path, 'aufs', ...parts);
  beforeEach(() => {
    temporary = temporaryDirectory();
    graph = createAufsDriver(temporary.path);
  });
  afterEach(() => temporary.remove());

  const load = (...layers: Buffer[]) => {
    const blobs = layers.map((tar) => ({ open: () => Readable.from([tar], { objectMode: false }), digest: null }));
    return loadLayers(configJson({ layers }), [], blobs, loadContext(graph, join(temporary.path, 'load')));
  };

  it.skipIf(hasFilesystem('aufs'))('reports that the kernel has no aufs and leaves nothing behind', () => {
    expect(graph.fingerprint()).toMatchObject({
      works: false,
      problems: [{ what: 'the kernel has no aufs', fix: expect.stringMatching(/-s overlay/) }],
      attributes: { 'backing filesystem': expect.any(String) },
    });
    expect(readdirSync(temporary.path)).toEqual([]);
  });

  it('is laid out as Docker 1.4 has it', async () => {
    await graph.createLayer('base', null, async () => {});
    await graph.createLayer('middle', 'base', async () => {});
    await graph.createLayer('top', 'middle', async ({ path }) => writeFileSync(join(path, 'file'), ''));
    await graph.createSnapshot(CONTAINER, 'top');
    expect(readFileSync(at('layers', 'base'), 'utf8')).toBe('');
    expect(readFileSync(at('layers', 'top'), 'utf8')).toBe('middle\nbase\n');
    expect(readFileSync(at('layers', CONTAINER), 'utf8')).toBe('top\nmiddle\nbase\n');
    expect(readdirSync(at('diff', 'top'))).toEqual(['file']);
    expect(existsSync(at('mnt'))).toBe(true);
  });

  it('keeps whiteouts and opaque directories as the files that aufs reads', async () => {
    const { topLayer } = await load(
      tarOf({ path: 'gone' }, { path: 'dir/', type: 'directory' }, { path: 'remade/', type: 'directory' }),
      tarOf({ path: '.wh.gone' }, { path: 'dir/.wh..wh..opq' }, { path: '.wh.remade' }, { path: 'remade/new' }),
    );
    const diff = at('diff', topLayer as string);
    expect(readdirSync(diff, { recursive: true }).sort()).toEqual([
      '.wh.gone',
      'dir',
      'dir/.wh..wh..opq',
      'remade',
      'remade/.wh..wh..opq',
      'remade/new',
    ]);
    expect(lstatSync(join(diff, '.wh.gone'))).toMatchObject({ size: 0 });
  });

  it.each<readonly [string, readonly TarFixture[]]>([
    ['a file after it', [{ path: '.wh.a' }, { path: 'a', content: 'new' }]],
    ['a file before it', [{ path: 'a', content: 'new' }, { path: '.wh.a' }]],
  ])('hides no file of the layer itself: %s', async (_what, entries) => {
    const { topLayer } = await load(tarOf({ path: 'a', content: 'old' }), tarOf(...entries));
    expect(readdirSync(at('diff', topLayer as string))).toEqual(['a']);
  });

  it('refuses directories that aufs would read as whiteouts and drops its bookkeeping files', async () => {
    const hostile = expect.objectContaining({ code: 'TSD_LAYER_HOSTILE' });
    await expect(load(tarOf({ path: '.wh.dir/file' }))).rejects.toThrow(hostile);
    await expect(
      load(tarOf({ path: 'link', type: 'symlink', linkname: '/.wh..wh.plnk' }, { path: 'link/file' })),
    ).rejects.toThrow(hostile);
    const { topLayer } = await load(tarOf({ path: '.wh..wh.plnk', type: 'directory' }, { path: '.wh..wh.aufs' }));
    expect(readdirSync(at('diff', topLayer as string))).toEqual([]);
  });

  it('reads what Docker 1.4 wrote', async () => {
    for (const [name, parents] of [
      [IMAGE, ''],
      [`${CONTAINER}-init`, `${IMAGE}\n`],
    ] as const) {
      mkdirSync(at('diff', name), { recursive: true });
      mkdirSync(at('layers'), { recursive: true });
      writeFileSync(at('layers', name), parents);
    }
    writeFileSync(at('diff', IMAGE, 'file'), '');
    writeFileSync(at('diff', `${CONTAINER}-init`, '.wh.file'), '');
    writeFileSync(at('diff', `${CONTAINER}-init`, '.wh..wh.aufs'), '');
    expect(graph.list()).toEqual([
      { id: IMAGE, parent: null, type: 'layer' },
      { id: `${CONTAINER}-init`, parent: IMAGE, type: 'layer' },
    ]);
    const changes: string[] = [];
    for await (const { kind, path } of graph.changes(`${CONTAINER}-init`)) changes.push(`${kind} ${path}`);
    expect(changes).toEqual(['deleted file']);
  });

  it('removes the remains of a commit that a crash interrupted', () => {
    mkdirSync(at('layers'), { recursive: true });
    writeFileSync(at('layers', IMAGE), '');
    expect(createAufsDriver(temporary.path).list()).toEqual([]);
    expect(readdirSync(at('layers'))).toEqual([]);
  });
});
