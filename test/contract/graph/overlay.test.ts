import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createOverlayDriver } from '../../../src/drivers/graph/overlay/overlay-driver.ts';
import { temporaryDirectory } from '../../support/images.ts';
import { withRoot } from './root-view.ts';

const IMAGE = '1'.repeat(64);
const CONTAINER = '2'.repeat(64);

describe('overlay on disk', () => {
  let temporary: ReturnType<typeof temporaryDirectory>;
  const at = (...parts: string[]): string => join(temporary.path, 'overlay', ...parts);
  beforeEach(() => {
    temporary = temporaryDirectory();
  });
  afterEach(() => temporary.remove());

  it('lists the layers below in `lower`, the nearest first', async () => {
    const graph = createOverlayDriver(temporary.path);
    await graph.createLayer('base', null, async () => {});
    await graph.createLayer('middle', 'base', async () => {});
    await graph.createLayer('top', 'middle', async () => {});
    expect(readFileSync(at('top', 'lower'), 'utf8')).toBe('middle\nbase\n');
    expect(readFileSync(at('base', 'lower'), 'utf8')).toBe('');
  });

  it('writes snapshots as Docker 1.4 does', async () => {
    const graph = createOverlayDriver(temporary.path);
    await graph.createSnapshot(CONTAINER, null);
    expect(readdirSync(at(CONTAINER)).sort()).toEqual(['lower-id', 'upper', 'work']);
  });

  it('reads what Docker 1.4 wrote and never writes into its images', async () => {
    mkdirSync(at(IMAGE, 'root'), { recursive: true });
    writeFileSync(at(IMAGE, 'root', 'file'), 'old');
    for (const part of ['upper', 'work', 'merged']) mkdirSync(at(CONTAINER, part), { recursive: true });
    writeFileSync(at(CONTAINER, 'upper', 'changed'), 'x');
    writeFileSync(at(CONTAINER, 'lower-id'), IMAGE);
    const graph = createOverlayDriver(temporary.path);
    expect(graph.list()).toEqual([
      { id: IMAGE, parent: null, type: 'layer' },
      { id: CONTAINER, parent: IMAGE, type: 'snapshot' },
    ]);
    withRoot(graph.rootMount(CONTAINER), (root) => {
      expect(readdirSync(root).sort()).toEqual(['changed', 'file']);
      writeFileSync(join(root, 'file'), 'new');
    });
    expect(readFileSync(at(IMAGE, 'root', 'file'), 'utf8')).toBe('old');
    await graph.createLayer('3'.repeat(64), IMAGE, async ({ path }) => writeFileSync(join(path, 'more'), ''));
    expect(readdirSync(at(IMAGE, 'root'))).toEqual(['file']);
    await expect(graph.remove(IMAGE)).rejects.toThrow(expect.objectContaining({ code: 'TSD_LAYER_CONFLICT' }));
  });

  it('lists an incomplete layer, so that it can be removed', async () => {
    mkdirSync(at('broken'), { recursive: true });
    const graph = createOverlayDriver(temporary.path);
    expect(graph.exists('broken')).toBe(false);
    expect(graph.list()).toEqual([{ id: 'broken', parent: null, type: 'layer' }]);
    await graph.remove('broken');
    expect(graph.list()).toEqual([]);
  });

  it('reports why it does not work on an overlay filesystem', async () => {
    const graph = createOverlayDriver(temporary.path);
    await graph.createLayer('base', null, async () => {});
    await graph.createSnapshot('c', 'base');
    withRoot(graph.rootMount('c'), (root) => {
      const inside = createOverlayDriver(join(root, 'nested')).fingerprint();
      expect(inside).toMatchObject({ works: false, attributes: { 'backing filesystem': 'overlay' } });
      expect(inside.problems[0]?.fix).toMatch(/-s vfs/);
    });
  });

  it('mounts 200 layers', async () => {
    const graph = createOverlayDriver(temporary.path);
    let parent: string | null = null;
    for (let index = 0; index < 200; index++) {
      const layer = String(index).padStart(64, 'f');
      mkdirSync(at(layer, 'diff'), { recursive: true });
      writeFileSync(at(layer, 'diff', `file${index}`), '');
      const below = parent === null ? '' : `${parent}\n${readFileSync(at(parent, 'lower'), 'utf8')}`;
      writeFileSync(at(layer, 'lower'), below);
      parent = layer;
    }
    await graph.createSnapshot(CONTAINER, parent);
    withRoot(graph.rootMount(CONTAINER), (root) => expect(readdirSync(root)).toHaveLength(200));
  });
});
