import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GraphDriver } from '../../../src/drivers/contract/graph.ts';
import { createOverlayDriver } from '../../../src/drivers/graph/overlay/overlay-driver.ts';
import { createVfsDriver } from '../../../src/drivers/graph/vfs/vfs-driver.ts';
import { layerTar, layerTarSize } from '../../../src/images/export/layer-tar.ts';
import type { LoadContext, LoadedLayer } from '../../../src/images/image.ts';
import { loadLayers } from '../../../src/images/layers.ts';
import { configJson, loadContext, tarOf, temporaryDirectory } from '../../support/images.ts';

/** Everything that makes a tar's bytes more than its files: order, pax records, padding, what follows the end. */
const FIRST = Buffer.concat([
  tarOf(
    { path: 'z-first', content: randomBytes(300_000) },
    { path: './dir/', type: 'directory', mtimeSeconds: 1_700_000_000, mtimeNanos: 5 },
    { path: 'dir/caps', content: 'x', xattrs: new Map([['user.note', Buffer.from([0, 255])]]) },
    { path: 'dir/hard', type: 'link', linkname: 'dir/caps' },
    { path: `dir/${'long'.repeat(40)}`, content: 'named by pax' },
    { path: 'link', type: 'symlink', linkname: 'dir' },
    { path: 'link/through', content: 'lands in dir' },
    { path: 'empty' },
    { path: 'implicit/parent/file', content: 'y'.repeat(511) },
  ),
  Buffer.alloc(8192),
]);
const SECOND = tarOf(
  { path: 'dir/.wh.caps' },
  { path: 'implicit/.wh..wh..opq' },
  { path: 'z-first', content: 'replaced' },
);

for (const { name, create } of [
  { name: 'overlay', create: createOverlayDriver },
  { name: 'vfs', create: createVfsDriver },
]) {
  describe(`tars of layers on ${name}`, () => {
    let temporary: ReturnType<typeof temporaryDirectory>;
    let graph: GraphDriver;
    let context: LoadContext;
    beforeEach(() => {
      temporary = temporaryDirectory();
      graph = create(join(temporary.path, 'root'));
      context = loadContext(graph, join(temporary.path, 'tmp'));
    });
    afterEach(() => temporary.remove());

    const load = async (...layers: Buffer[]): Promise<readonly LoadedLayer[]> => {
      const blobs = layers.map((tar) => ({
        open: () => Readable.from([gzipSync(tar)], { objectMode: false }),
        digest: null,
      }));
      return (await loadLayers(configJson({ layers }), [], blobs, context)).layers;
    };
    /** Of one file with two holes. */
    const sparseTar = (...options: string[]): Buffer => {
      const source = join(temporary.path, 'source');
      mkdirSync(source);
      writeFileSync(join(source, 'file'), randomBytes(700_000));
      execFileSync('dd', ['if=/dev/urandom', `of=${join(source, 'file')}`, 'bs=1M', 'seek=3', 'count=1'], {
        stdio: 'ignore',
      });
      truncateSync(join(source, 'file'), 9_000_000);
      return execFileSync('tar', ['--sparse', ...options, '-C', source, '-cf', '-', '.'], { maxBuffer: 2 ** 26 });
    };
    const bytesOf = (layer: LoadedLayer): Promise<Buffer> => buffer(layerTar(context, layer));

    it.each([['--format=gnu'], ['--format=pax']])(
      'are the original bytes, also with sparse files (%s)',
      async (form) => {
        const tar = sparseTar(form);
        expect(tar.length).toBeLessThan(5_000_000);
        const [layer] = await load(tar);
        expect((await bytesOf(layer as LoadedLayer)).equals(tar)).toBe(true);
      },
    );

    it('are restored byte for byte', async () => {
      const [first, second] = (await load(FIRST, SECOND)) as [LoadedLayer, LoadedLayer];
      expect((await bytesOf(first)).equals(FIRST)).toBe(true);
      expect((await bytesOf(second)).equals(SECOND)).toBe(true);
      expect(await layerTarSize(context, first)).toBe(FIRST.length);
      expect(readdirSync(context.recipes).sort()).toEqual([first.chainId, second.chainId].sort());
    });

    it('are refused when a file of the layer changed on disk', async () => {
      const [layer] = (await load(FIRST)) as [LoadedLayer];
      writeFileSync(join(graph.openLayer(layer.chainId).path, 'dir/caps'), 'X');
      await expect(bytesOf(layer)).rejects.toThrow(expect.objectContaining({ code: 'TSD_IMAGE_INVALID' }));
      writeFileSync(join(graph.openLayer(layer.chainId).path, 'dir/caps'), '');
      await expect(bytesOf(layer)).rejects.toThrow(/became shorter/);
    });

    it('are refused for an archive with a file twice and for a damaged record', async () => {
      const [twice] = (await load(tarOf({ path: 'a', content: '1' }, { path: 'a', content: '2' }))) as [LoadedLayer];
      await expect(bytesOf(twice)).rejects.toThrow(/no record of the exact bytes/);
      const [layer] = (await load(FIRST)) as [LoadedLayer];
      const recipe = join(context.recipes, layer.chainId);
      chmodSync(recipe, 0o600);
      for (const damage of [Buffer.from('rubbish'), gzipSync('rubbish'), gzipSync('tsdocker recipe 1\n\x00\xff')]) {
        writeFileSync(recipe, damage);
        await expect(bytesOf(layer)).rejects.toThrow(/is damaged/);
      }
    });

    it('leave no record when the layer is not unpacked', async () => {
      await expect(load(FIRST.subarray(0, 2000))).rejects.toThrow(/cut off/);
      expect(existsSync(context.recipes) ? readdirSync(context.recipes) : []).toEqual([]);
    });
  });
}
