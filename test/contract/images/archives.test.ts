import { execFileSync, spawnSync } from 'node:child_process';
import { createReadStream, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GraphDriver } from '../../../src/drivers/contract/graph.ts';
import { createOverlayDriver } from '../../../src/drivers/graph/overlay/overlay-driver.ts';
import { dockerArchive } from '../../../src/images/export/docker-archive.ts';
import { ociArchive } from '../../../src/images/export/oci-archive.ts';
import type { StoredImage } from '../../../src/images/export/stored-image.ts';
import { writeWhole } from '../../../src/images/export/write-file.ts';
import type { LoadContext, LoadedImage } from '../../../src/images/image.ts';
import { loadArchive, loadArchiveImages } from '../../../src/images/sources/archive.ts';
import { loadLayout } from '../../../src/images/sources/layout.ts';
import {
  dockerArchive as dockerFixture,
  type ImageFixture,
  loadContext,
  tarOf,
  temporaryDirectory,
} from '../../support/images.ts';

const BASE = tarOf(
  { path: 'bin/', type: 'directory' },
  { path: 'bin/app', content: 'x'.repeat(70_000), mode: 0o4755, uid: 7 },
);
const TOP = tarOf({ path: 'bin/.wh.app' }, { path: 'etc/new', content: 'y' });
const ONE = {
  layers: [BASE, TOP],
  names: ['demo/one:v1', 'demo/one:latest'],
  config: { Cmd: ['/bin/app'], Env: ['A=b'] },
};
const TWO = { layers: [BASE], names: ['demo/two:latest'], config: { Cmd: ['/bin/other'] } };
const isInstalled = (tool: string): boolean => spawnSync(tool, ['--version']).error === undefined;

let temporary: ReturnType<typeof temporaryDirectory>;
let contexts = 0;
beforeEach(() => {
  temporary = temporaryDirectory();
});
afterEach(() => temporary.remove());
const at = (path: string): string => join(temporary.path, path);

/** An empty graph of its own. */
function fresh(): LoadContext & { readonly graph: GraphDriver } {
  const name = `root${contexts++}`;
  return loadContext(createOverlayDriver(at(name)), at(`${name}-tmp`));
}

async function loadAll(path: string, context: LoadContext): Promise<LoadedImage[]> {
  const images: LoadedImage[] = [];
  for await (const image of loadArchiveImages(path, context)) images.push(image);
  return images;
}

const stored = (image: LoadedImage): StoredImage => ({ ...image, names: image.references });

async function saved(
  file: string,
  write: typeof dockerArchive,
  fixtures: readonly ImageFixture[],
): Promise<LoadedImage[]> {
  writeFileSync(at('given.tar'), dockerFixture(...fixtures));
  const context = fresh();
  const images = await loadAll(at('given.tar'), context);
  await writeWhole(at(file), write(context, images.map(stored)), () => {}, undefined);
  return images;
}

const identity = ({ id, references, layers }: LoadedImage) => ({
  id,
  references: [...references].sort(),
  diffIds: layers.map(({ diffId }) => diffId),
});

describe.each([
  ['docker-archive', dockerArchive],
  ['oci-archive', ociArchive],
] as const)('a saved %s', (form, write) => {
  it('restores the same images and stores each layer once', async () => {
    const images = await saved('saved.tar', write, [ONE, TWO]);
    const again = await loadAll(at('saved.tar'), fresh());
    expect(again.map(identity)).toEqual(images.map(identity));
    const archive = readFileSync(at('saved.tar'));
    expect(archive.indexOf(BASE)).toBe(archive.lastIndexOf(BASE));
    expect(readdirSync(temporary.path).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('is the same file when it is written twice', async () => {
    await saved('first.tar', write, [ONE, TWO]);
    await saved('second.tar', write, [ONE, TWO]);
    expect(readFileSync(at('first.tar')).equals(readFileSync(at('second.tar')))).toBe(true);
  });

  it('allows one image to be selected by name', async () => {
    await saved('saved.tar', write, [ONE, TWO]);
    const two = await loadArchive({ type: 'archive', path: at('saved.tar'), ref: 'demo/two' }, fresh());
    expect(two.config.cmd).toEqual(['/bin/other']);
    await expect(loadArchive({ type: 'archive', path: at('saved.tar') }, fresh())).rejects.toThrow(/must be chosen/);
  });

  it.skipIf(!isInstalled('skopeo'))('is read by skopeo with the same digests (needs skopeo)', async () => {
    const [one] = (await saved('saved.tar', write, [ONE, TWO])) as [LoadedImage];
    const skopeo = (...args: string[]): string =>
      execFileSync('skopeo', ['--insecure-policy', '--tmpdir', temporary.path, ...args], {
        encoding: 'utf8',
        stdio: 'pipe',
      });
    const source = `${form}:${at('saved.tar')}:demo/one:v1`;
    const config = skopeo('inspect', '--raw', '--config', source);
    expect(JSON.parse(config)).toEqual(JSON.parse(one.configJson));
    skopeo('copy', source, `oci:${at('copied')}:v1`);
    const copied = await loadLayout({ type: 'layout', path: at('copied'), ref: 'v1' }, fresh());
    expect(copied.layers.map(({ diffId }) => diffId)).toEqual(one.layers.map(({ diffId }) => diffId));
  });
});

describe('an archive in the form of Docker before 1.10', () => {
  /** Our docker-archive without what newer readers look at. */
  async function oldForm(): Promise<LoadedImage[]> {
    const images = await saved('saved.tar', dockerArchive, [ONE, TWO]);
    mkdirSync(at('files'));
    execFileSync('tar', ['-xf', at('saved.tar'), '-C', at('files')]);
    execFileSync('sh', ['-c', 'rm *.json && tar -cf ../old.tar *'], { cwd: at('files') });
    return images;
  }

  it('is loaded with its layers, names and settings', async () => {
    const images = await oldForm();
    const loaded = await loadAll(at('old.tar'), fresh());
    expect(loaded.map((image) => [...image.references].sort())).toEqual(
      images.map(({ references }) => [...references].sort()),
    );
    expect(loaded.map(({ topLayer, config }) => ({ topLayer, config }))).toEqual(
      images.map(({ topLayer, config }) => ({ topLayer, config })),
    );
    const again = await loadAll(at('old.tar'), fresh());
    expect(again.map(({ id }) => id)).toEqual(loaded.map(({ id }) => id));
  });

  it('is refused when images are parents of each other', async () => {
    const id = 'a'.repeat(64);
    const archive = tarOf(
      { path: 'repositories', content: JSON.stringify({ x: { y: id } }) },
      { path: `${id}/json`, content: JSON.stringify({ id, parent: id }) },
    );
    writeFileSync(at('loop.tar'), archive);
    await expect(loadAll(at('loop.tar'), fresh())).rejects.toThrow(/more than 127 layers/);
  });
});

describe.skipIf(!isInstalled('umoci'))('a saved oci-archive as a layout (needs umoci)', () => {
  it('unpacks to the same files with umoci', async () => {
    await saved('saved.tar', ociArchive, [{ ...ONE, names: ['v1'] }]);
    mkdirSync(at('layout'));
    execFileSync('tar', ['-xf', at('saved.tar'), '-C', at('layout')]);
    execFileSync('umoci', ['unpack', '--image', `${at('layout')}:v1`, at('bundle')], { stdio: 'pipe' });
    expect(readdirSync(at('bundle/rootfs/bin'))).toEqual([]);
    expect(readFileSync(at('bundle/rootfs/etc/new'), 'utf8')).toBe('y');
  });
});

describe('writing a file', () => {
  it('leaves only the old file when it fails', async () => {
    writeFileSync(at('file'), 'old');
    async function* torn(): AsyncGenerator<Buffer> {
      yield Buffer.from('half');
      throw new Error('torn');
    }
    await expect(writeWhole(at('file'), torn(), () => {}, undefined)).rejects.toThrow('torn');
    expect(readdirSync(temporary.path)).toEqual(['file']);
    expect((await buffer(createReadStream(at('file')))).toString()).toBe('old');
    expect(statSync(at('file')).size).toBe(3);
  });
});
