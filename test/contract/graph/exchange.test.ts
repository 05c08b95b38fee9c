/** A container that runs while its files are read exchanges a directory for a link to the host's at the worst moment. */
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GraphDriver } from '../../../src/drivers/contract/graph.ts';
import { createOverlayDriver } from '../../../src/drivers/graph/overlay/overlay-driver.ts';
import { treeSize } from '../../../src/drivers/graph/tree-size.ts';
import { createVfsDriver } from '../../../src/drivers/graph/vfs/vfs-driver.ts';
import { changeEntries } from '../../../src/images/export/changes-tar.ts';
import { withoutMountPoints } from '../../../src/images/export/mount-points.ts';
import { directoryEntries } from '../../../src/images/tree/directory-entries.ts';
import { scanTree } from '../../../src/images/tree/scan.ts';
import { type TreeEntry, treeTar } from '../../../src/images/tree/tree-tar.ts';
import { temporaryDirectory } from '../../support/images.ts';
import { id } from './fixture.ts';
import { withRoot } from './root-view.ts';

const CHANGED = /changed while it was read/;

let temporary: ReturnType<typeof temporaryDirectory>;
let host: string;
beforeEach(() => {
  temporary = temporaryDirectory();
  host = join(temporary.path, 'host');
  // The same names and sizes, so that nothing but the place tells them apart.
  fill(host, 'host');
  writeFileSync(join(host, 'only-here'), 'host');
});
afterEach(() => temporary.remove());

function fill(directory: string, content: string): void {
  mkdirSync(join(directory, 'below'), { recursive: true });
  for (const name of ['file', 'below/file']) writeFileSync(join(directory, name), content);
  symlinkSync(content, join(directory, 'link'));
}

function exchange(directory: string): void {
  renameSync(directory, `${directory}-aside`);
  symlinkSync(host, directory);
}

/** Names of what is found, the exchange made right after the directory was seen. */
async function namesWhile<T>(entries: AsyncIterable<T>, nameOf: (entry: T) => string, root: string): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of entries) {
    const name = nameOf(entry).replace(/\/$/, '');
    names.push(name);
    if (name === 'd') exchange(join(root, 'd'));
  }
  return names;
}

const entryName = ({ header }: TreeEntry): string => header.name;

describe.each([
  ['overlay', createOverlayDriver],
  ['vfs', createVfsDriver],
] as const)('changes on %s of a container that exchanges a directory', (_name, create) => {
  let graph: GraphDriver;
  let root: string;
  beforeEach(async () => {
    graph = create(join(temporary.path, 'root'));
    await graph.createLayer(id('base'), null, async ({ path }) => writeFileSync(join(path, 'base'), ''));
    await graph.createSnapshot(id('c'), id('base'));
    withRoot(graph.rootMount(id('c')), (view) => fill(join(view, 'd'), 'mine'));
    const mount = graph.rootMount(id('c'));
    root = mount.type === 'overlay' ? mount.upper : mount.type === 'bind' ? mount.source : '';
  });
  afterEach(() => graph.close());

  it('name no path of the host', async () => {
    const changes = withoutMountPoints(graph.changes(id('c')), []);
    const names = await namesWhile(changes, ({ path }) => path.toString(), root);
    expect(names).toContain('d');
    expect(names.filter((name) => name.startsWith('d/'))).toEqual([]);
  });

  it('have no file of the host in their tar', async () => {
    const names = await namesWhile(changeEntries(graph.changes(id('c'))), entryName, root);
    expect(names).toContain('d');
    expect(names.filter((name) => name.startsWith('d/'))).toEqual([]);
  });

  it('fail when the exchange happens between stat and read', async () => {
    const entries: TreeEntry[] = [];
    for await (const entry of changeEntries(graph.changes(id('c')))) entries.push(entry);
    expect(entries.map(entryName)).toEqual(expect.arrayContaining(['d/file', 'd/below/file']));
    exchange(join(root, 'd'));
    await expect(buffer(treeTar(entries))).rejects.toThrow(CHANGED);
  });
});

async function entriesOf(root: string): Promise<TreeEntry[]> {
  const entries: TreeEntry[] = [];
  for await (const entry of directoryEntries(root)) entries.push(entry);
  return entries;
}

describe('a whole tree in which a directory is exchanged', () => {
  let root: string;
  beforeEach(() => {
    root = join(temporary.path, 'tree');
    fill(join(root, 'd'), 'mine');
  });

  it('is read without files of the host', async () => {
    const paths = await namesWhile(scanTree(root), ({ path }) => path, root);
    expect(paths).toEqual(['', 'd']);
  });

  it('is not read when the root is exchanged or removed', async () => {
    exchange(root);
    await expect(entriesOf(root)).rejects.toThrow(CHANGED);
    rmSync(root);
    await expect(entriesOf(root)).rejects.toThrow(CHANGED);
  });

  it('is measured without files of the host', async () => {
    writeFileSync(join(host, 'below', 'large'), Buffer.alloc(100_000, 1));
    exchange(join(root, 'd'));
    expect(await treeSize(join(root, 'd', 'below'))).toBe(0);
  });

  it('fails when a file changes its type', async () => {
    const entries = await entriesOf(root);
    const file = join(root, 'd/below/file');
    rmSync(file);
    symlinkSync(join(host, 'below/file'), file);
    await expect(buffer(treeTar(entries))).rejects.toThrow(CHANGED);
  });

  it('fails when the exchange happens between stat and read', async () => {
    const entries = await entriesOf(root);
    exchange(join(root, 'd'));
    await expect(buffer(treeTar(entries))).rejects.toThrow(CHANGED);
  });
});
