import { existsSync, linkSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { loadLayers } from '../../../src/images/layers.ts';
import { configJson, loadContext, tarOf } from '../../support/images.ts';
import { GraphFixture, id, never, type Tested, writes } from './fixture.ts';

/** The contract of GraphDriver about stored layers and snapshots; nothing is mounted here. */
export function graphStoreSuite(name: string, tested: Tested): void {
  describe(`graph driver ${name}, its store`, () => {
    const on = new GraphFixture(tested);

    it('creates a layer once', async () => {
      await on.base();
      await on.graph.createLayer(id('base'), null, never);
      expect(on.graph.exists(id('base'))).toBe(true);
      expect(on.graph.list()).toEqual([{ id: id('base'), parent: null, type: 'layer' }]);
    });

    it('shares the work of concurrent requests for a layer', async () => {
      let fills = 0;
      const fill = async (): Promise<void> => {
        fills += 1;
      };
      await Promise.all([on.graph.createLayer(id('x'), null, fill), on.graph.createLayer(id('x'), null, fill)]);
      expect(fills).toBe(1);
    });

    it('refuses the same layer with another parent', async () => {
      await on.base();
      await on.graph.createLayer(id('top'), id('base'), writes());
      const conflict = expect.objectContaining({ code: 'TSD_LAYER_CONFLICT' });
      await expect(on.graph.createLayer(id('top'), null, never)).rejects.toThrow(conflict);
      await on.graph.createSnapshot(id('c'), id('base'));
      await expect(on.graph.createSnapshot(id('c'), id('top'))).rejects.toThrow(conflict);
      await expect(on.graph.createLayer(id('c'), id('base'), never)).rejects.toThrow(conflict);
    });

    it('refuses a parent that does not exist', async () => {
      const missing = expect.objectContaining({ code: 'TSD_IMAGE_MISSING' });
      await expect(on.graph.createLayer(id('x'), id('none'), never)).rejects.toThrow(missing);
      await expect(on.graph.createSnapshot(id('c'), id('none'))).rejects.toThrow(missing);
      expect(() => on.graph.rootMount(id('c'))).toThrow(missing);
      await expect(on.graph.size(id('x'))).rejects.toThrow(missing);
    });

    it('refuses ids that are paths', async () => {
      const bug = expect.objectContaining({ code: 'TSD_BUG' });
      await expect(on.graph.createLayer('../x', null, never)).rejects.toThrow(bug);
      await expect(on.graph.createSnapshot('a/b', null)).rejects.toThrow(bug);
      await expect(on.graph.remove('..')).rejects.toThrow(bug);
      expect(on.graph.exists('..')).toBe(false);
    });

    it('removes snapshots and layers, from the top', async () => {
      await on.base();
      await on.graph.createLayer(id('top'), id('base'), writes());
      await on.graph.createSnapshot(id('c'), id('top'));
      const conflict = expect.objectContaining({ code: 'TSD_LAYER_CONFLICT' });
      await expect(on.graph.remove(id('base'))).rejects.toThrow(conflict);
      await expect(on.graph.remove(id('top'))).rejects.toThrow(conflict);
      for (const each of ['c', 'top', 'base', 'base', 'absent']) await on.graph.remove(id(each));
      expect(on.graph.list()).toEqual([]);
    });

    it('measures a layer alone, hard links once', async () => {
      const megabyte = Buffer.alloc(1024 * 1024, 'x');
      await on.graph.createLayer(id('base'), null, async ({ path }) => {
        writeFileSync(join(path, 'file'), megabyte);
        linkSync(join(path, 'file'), join(path, 'again'));
      });
      const size = await on.graph.size(id('base'));
      expect(size).toBeGreaterThanOrEqual(megabyte.length);
      expect(size).toBeLessThan(megabyte.length * 1.5);
    });

    it('lists the changes of a layer', async () => {
      await on.graph.createLayer(id('base'), null, async ({ path }) => {
        mkdirSync(join(path, 'dir'));
        writeFileSync(join(path, 'dir', 'file'), '');
      });
      expect(await on.changesOf(id('base'))).toEqual(['added /', 'added /dir', 'added /dir/file']);
      expect(() => on.graph.changes(id('none'))).toThrow(expect.objectContaining({ code: 'TSD_IMAGE_MISSING' }));
    });

    it('lists the changes of an applied diff', async () => {
      const layers = [
        tarOf(
          { path: 'dir/', type: 'directory' },
          { path: 'dir/a', content: '1' },
          { path: 'dir/b', content: '1' },
          { path: 'gone/', type: 'directory' },
          { path: 'gone/a', content: '1' },
          { path: 'opaque/', type: 'directory' },
          { path: 'opaque/a', content: '1' },
          { path: 'opaque/b', content: '1' },
          { path: 'remade/', type: 'directory' },
          { path: 'remade/a', content: '1' },
        ),
        tarOf(
          { path: 'dir/.wh.a' },
          { path: 'dir/b', content: 'longer' },
          { path: 'dir/c', content: '1' },
          { path: '.wh.gone' },
          { path: 'opaque/.wh..wh..opq' },
          { path: 'opaque/b', content: 'longer' },
          { path: '.wh.remade' },
          { path: 'remade', content: 'a file' },
          { path: 'was-never-there/.wh.a' },
        ),
      ];
      const blobs = layers.map((tar) => ({ open: () => Readable.from([tar], { objectMode: false }), digest: null }));
      const context = loadContext(on.graph, join(on.root, 'load'));
      const { topLayer } = await loadLayers(configJson({ layers }), [], blobs, context);
      const changes = await on.changesOf(topLayer as string);
      expect(changes).toEqual([
        'added /dir/c',
        'added /was-never-there',
        'deleted /dir/a',
        'deleted /gone',
        'deleted /opaque/a',
        'modified /dir',
        'modified /dir/b',
        'modified /opaque',
        'modified /opaque/b',
        'modified /remade',
      ]);
    });

    it('finds everything again after a restart and removes incomplete layers', async () => {
      await on.base();
      await on.graph.createSnapshot(id('c'), id('base'));
      let release: (() => void) | null = null;
      const torn = on.graph.createLayer(id('torn'), id('base'), () => new Promise((resolve) => (release = resolve)));
      await expect.poll(() => release).not.toBeNull();
      expect(countTemporary(on.root)).toBe(1);
      const restarted = tested.create(on.root);
      expect(countTemporary(on.root)).toBe(0);
      expect([...restarted.list()].sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
        { id: id('base'), parent: null, type: 'layer' },
        { id: id('c'), parent: id('base'), type: 'snapshot' },
      ]);
      (release as (() => void) | null)?.();
      await expect(torn).rejects.toThrow();
      expect(restarted.exists(id('torn'))).toBe(false);
    });

    it('does not follow symlinks of a layer when it copies or removes it', async () => {
      const outside = join(on.root, 'outside');
      mkdirSync(outside);
      writeFileSync(join(outside, 'precious'), 'x');
      await on.graph.createLayer(id('base'), null, async ({ path }) => symlinkSync(outside, join(path, 'link')));
      await on.graph.createLayer(id('top'), id('base'), writes());
      await on.graph.createSnapshot(id('c'), id('top'));
      for (const each of ['c', 'top', 'base']) await on.graph.remove(id(each));
      expect(existsSync(join(outside, 'precious'))).toBe(true);
    });
  });
}

function countTemporary(root: string): number {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => /\.tmp\/[^/]+$/.test(path)).length;
}
