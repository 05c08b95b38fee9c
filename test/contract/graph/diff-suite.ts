import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { setXattr } from '../../../src/ffi/files/layer-files.ts';
import { changesTar } from '../../../src/images/export/changes-tar.ts';
import { loadLayers } from '../../../src/images/layers.ts';
import { addLayer } from '../../../src/images/make/add-layer.ts';
import { SparseMaps } from '../../../src/images/tree/sparse-entry.ts';
import { configJson, loadContext, tarOf } from '../../support/images.ts';
import { describeTree } from '../../support/tree.ts';
import { GraphFixture, id, type Tested } from './fixture.ts';
import { withRoot } from './root-view.ts';

const dir = (path: string) => ({ path, type: 'directory' as const });

const BASE = tarOf(
  dir('kept/'),
  { path: 'kept/file', content: 'below' },
  { path: 'kept/gone', content: 'x' },
  dir('deleted/'),
  { path: 'deleted/file', content: 'x' },
  dir('emptied/'),
  { path: 'emptied/below', content: 'x' },
  { path: 'was-file', content: 'x' },
  dir('was-directory/'),
  { path: 'was-directory/file', content: 'x' },
  dir('remade/'),
  { path: 'remade/below', content: 'x' },
  { path: 'linked', content: 'one' },
);
const TOP = tarOf(
  dir('kept/'),
  { path: 'kept/.wh.gone' },
  { path: 'kept/file', content: 'above', mode: 0o600, uid: 3, gid: 4 },
  { path: '.wh.deleted' },
  { path: 'emptied/.wh..wh..opq' },
  { path: 'emptied/above', content: 'x' },
  { path: 'was-file', type: 'directory', mode: 0o700 },
  { path: 'was-directory', content: 'now a file' },
  { path: '.wh.remade' },
  dir('remade/'),
  { path: 'remade/above', content: 'x' },
  { path: '.wh.linked' },
  { path: 'new', content: 'x' },
  { path: 'again', type: 'link', linkname: 'new' },
  { path: 'symlink', type: 'symlink', linkname: '/etc/passwd' },
);

/** Diffs, and their application, by layers as they come in archives; on the driver and in what a container sees. */
export function graphDiffSuite(name: string, tested: Tested): void {
  describe(`graph driver ${name}, diffs of layers`, () => {
    const on = new GraphFixture(tested);
    const context = () => loadContext(on.graph, join(on.root, 'load'));
    const load = (...layers: Buffer[]) => {
      const blobs = layers.map((tar) => ({ open: () => Readable.from([tar], { objectMode: false }), digest: null }));
      return loadLayers(configJson({ layers }), [], blobs, context());
    };
    const view = async (layer: string, use: (root: string) => void): Promise<void> => {
      const snapshot = id('view');
      await on.graph.createSnapshot(snapshot, layer);
      withRoot(on.graph.rootMount(snapshot), use);
    };
    /** The dot, because the path to a root may be a symlink of /proc. */
    const treeOf = (root: string, options?: { readonly times: boolean }) => describeTree(`${root}/.`, options);

    it('apply whiteouts, opaque directories and changed file types', async () => {
      const { topLayer } = await load(BASE, TOP);
      await view(topLayer as string, (root) => {
        const names = treeOf(root, { times: false }).map((line) => line.split(' ').slice(0, 3).join(' '));
        expect(names).toEqual([
          '. 40755 0:0',
          './again 100644 0:0',
          './emptied 40755 0:0',
          './emptied/above 100644 0:0',
          './kept 40755 0:0',
          './kept/file 100600 3:4',
          './new = ./again',
          './remade 40755 0:0',
          './remade/above 100644 0:0',
          './symlink 120777 0:0',
          './was-directory 100644 0:0',
          './was-file 40700 0:0',
        ]);
        expect(statSync(join(root, 'kept/file')).size).toBe('above'.length);
      });
    });

    it('of a snapshot give the same tree when applied to its parent', async () => {
      const below = await load(BASE);
      await on.graph.createSnapshot(id('c'), below.topLayer);
      let written: string[] = [];
      withRoot(on.graph.rootMount(id('c')), (root) => {
        changeEverything(root);
        written = treeOf(root);
      });
      const sparse = new SparseMaps();
      const made = await addLayer(
        {
          baseConfigJson: below.configJson,
          tar: () => changesTar(on.graph.changes(id('c')), sparse),
          changes: [],
          created: '2024-05-06T07:08:09Z',
          author: '',
          comment: '',
        },
        context(),
      );
      // The time of the root directory is that of its last use.
      await view(made.topLayer as string, (root) => expect(treeOf(root).slice(1)).toEqual(written.slice(1)));
    });

    it('are measured without their parents', async () => {
      const megabyte = 1024 ** 2;
      const { layers } = await load(
        tarOf({ path: 'large', content: Buffer.alloc(4 * megabyte, 'x') }),
        tarOf({ path: 'small', content: Buffer.alloc(megabyte, 'y') }, { path: '.wh.large' }),
      );
      expect(layers[0]?.size).toBeGreaterThanOrEqual(4 * megabyte);
      expect(layers[1]?.size).toBeGreaterThanOrEqual(megabyte);
      expect(layers[1]?.size).toBeLessThan(2 * megabyte);
    });
  });
}

function changeEverything(root: string): void {
  const at = (path: string): string => join(root, path);
  writeFileSync(at('kept/file'), 'changed by the container');
  setXattr(at('kept/file'), 'user.note', Buffer.from([0, 255]));
  rmSync(at('kept/gone'));
  rmSync(at('deleted'), { recursive: true });
  rmSync(at('was-directory'), { recursive: true });
  symlinkSync('kept', at('was-directory'));
  rmSync(at('was-file'));
  mkdirSync(at('was-file'));
  rmSync(at('remade'), { recursive: true });
  mkdirSync(at('remade'));
  writeFileSync(at('remade/above'), 'x');
  chmodSync(at('emptied'), 0o2750);
  chownSync(at('emptied/below'), 3_000_000_000, 5);
  mkdirSync(at('new/deep'), { recursive: true });
  writeFileSync(at('new/deep/file'), 'x');
  linkSync(at('new/deep/file'), at('new/link'));
  renameSync(at('linked'), at('renamed'));
}
