import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { graphDiffSuite } from './diff-suite.ts';
import { GraphFixture, id, type Tested, writes } from './fixture.ts';
import { withRoot } from './root-view.ts';
import { graphStoreSuite } from './store-suite.ts';

/** The contract of GraphDriver, for any driver. */
export function graphDriverSuite(name: string, create: Tested['create'], makeRoot?: Tested['makeRoot']): void {
  const tested: Tested = { create, ...(makeRoot && { makeRoot }) };
  graphStoreSuite(name, tested);
  graphDiffSuite(name, tested);

  describe(`graph driver ${name}`, () => {
    const on = new GraphFixture(tested);

    it('works here, reports where, and leaves nothing behind', () => {
      // Other files mount at the same time.
      const ofRoot = new RegExp(`^.* ${on.root}[/ ].*$`, 'gm');
      const mounts = () => readFileSync('/proc/self/mountinfo', 'utf8').match(ofRoot) ?? [];
      const before = mounts();
      expect(on.graph.fingerprint()).toMatchObject({ works: true, problems: [] });
      expect(Object.keys(on.graph.fingerprint().attributes)).toContain('backing filesystem');
      expect(mounts()).toEqual(before);
      expect(readdirSync(on.root)).toEqual([]);
    });

    it('leaves nothing of a layer that failed, and creates it at the next attempt', async () => {
      const failing = on.graph.createLayer(id('x'), null, async (target) => {
        await writes(['half', ''])(target);
        throw new Error('torn');
      });
      await expect(failing).rejects.toThrow('torn');
      expect(on.graph.exists(id('x'))).toBe(false);
      expect(on.graph.list()).toEqual([]);
      await on.graph.createLayer(id('x'), null, writes(['whole', '']));
      await on.graph.createSnapshot(id('c'), id('x'));
      withRoot(on.graph.rootMount(id('c')), (root) => expect(readdirSync(root)).toEqual(['whole']));
    });

    it('stacks the layers, the nearest on top', async () => {
      await on.base();
      await on.graph.createLayer(id('middle'), id('base'), writes(['a', 'changed'], ['c', '3']));
      await on.graph.createLayer(id('top'), id('middle'), writes(['c', '4']));
      await on.graph.createSnapshot(id('c'), id('top'));
      withRoot(on.graph.rootMount(id('c')), (root) => {
        const content = readdirSync(root).map((file) => `${file}=${readFileSync(join(root, file), 'utf8')}`);
        expect(content.sort()).toEqual(['a=changed', 'b=2', 'c=4']);
      });
    });

    it('isolates writes of a snapshot from other snapshots and the layer', async () => {
      await on.base();
      for (const snapshot of ['c1', 'c2']) await on.graph.createSnapshot(id(snapshot), id('base'));
      withRoot(on.graph.rootMount(id('c1')), (root) => writeFileSync(join(root, 'a'), 'mine'));
      withRoot(on.graph.rootMount(id('c2')), (root) => expect(readFileSync(join(root, 'a'), 'utf8')).toBe('1'));
      await on.graph.createSnapshot(id('c1'), id('base'));
      withRoot(on.graph.rootMount(id('c1')), (root) => expect(readFileSync(join(root, 'a'), 'utf8')).toBe('mine'));
    });

    it('gives a snapshot the owner and mode of its root directory', async () => {
      await on.graph.createLayer(id('base'), null, async ({ path }) => {
        chownSync(path, 7, 8);
        chmodSync(path, 0o1750);
      });
      await on.graph.createLayer(id('top'), id('base'), writes());
      await on.graph.createSnapshot(id('c'), id('top'));
      withRoot(on.graph.rootMount(id('c')), (root) => {
        const { uid, gid, mode } = statSync(root);
        expect({ uid, gid, mode: mode & 0o7777 }).toEqual({ uid: 7, gid: 8, mode: 0o1750 });
      });
    });

    it('creates a snapshot without a parent', async () => {
      await on.graph.createSnapshot(id('c'), null);
      withRoot(on.graph.rootMount(id('c')), (root) => expect(readdirSync(root)).toEqual([]));
    });

    it('removes a snapshot with directories deeper than PATH_MAX', async () => {
      await on.graph.createSnapshot(id('c'), null);
      withRoot(on.graph.rootMount(id('c')), (root) => {
        writeFileSync(join(root, 'file'), Buffer.alloc(8192, 'x'));
        const nest = `cd "$0" && i=0; while [ $i -lt 50 ]; do mkdir ${'n'.repeat(200)} && cd -P ${'n'.repeat(200)} || exit 1; i=$((i+1)); done`;
        execFileSync('bash', ['-c', nest, root]);
      });
      expect(await on.graph.size(id('c'))).toBeGreaterThan(0);
      // A part of it would be taken for the whole.
      const changes = async () => {
        for await (const change of on.graph.changes(id('c'))) expect(change.kind).toBe('added');
      };
      await expect(changes()).rejects.toThrow(/is nested deeper than a path of 4096 bytes can say/);
      await on.graph.remove(id('c'));
      expect(on.graph.list()).toEqual([]);
    });

    it('lists the changes of a snapshot, and none before the first write', async () => {
      await on.graph.createLayer(id('base'), null, async ({ path }) => {
        for (const directory of ['kept', 'emptied', 'gone', 'deep/er', 'was-dir', 'remade']) {
          mkdirSync(join(path, directory), { recursive: true });
        }
        for (const file of [
          'kept/a',
          'emptied/a',
          'gone/a',
          'deep/er/a',
          'was-dir/a',
          'remade/a',
          'remade/b',
          'was-file',
        ]) {
          writeFileSync(join(path, file), file);
        }
        symlinkSync('a', join(path, 'kept', 'link'));
      });
      await on.graph.createLayer(id('top'), id('base'), writes(['file', '1']));
      await on.graph.createSnapshot(id('c'), id('top'));
      expect(await on.changesOf(id('c'))).toEqual([]);
      withRoot(on.graph.rootMount(id('c')), (root) => {
        writeFileSync(join(root, 'new'), '');
        writeFileSync(join(root, 'deep/er/a'), 'longer than before');
        rmSync(join(root, 'emptied/a'));
        for (const directory of ['gone', 'was-dir', 'remade']) rmSync(join(root, directory), { recursive: true });
        writeFileSync(join(root, 'was-dir'), '');
        rmSync(join(root, 'was-file'));
        mkdirSync(join(root, 'was-file'));
        mkdirSync(join(root, 'remade'));
        writeFileSync(join(root, 'remade/b'), 'different');
        chmodSync(join(root, 'file'), 0o600);
      });
      expect(await on.changesOf(id('c'))).toEqual([
        'added /new',
        'deleted /emptied/a',
        'deleted /gone',
        'deleted /remade/a',
        'modified /deep',
        'modified /deep/er',
        'modified /deep/er/a',
        'modified /emptied',
        'modified /file',
        'modified /remade',
        'modified /remade/b',
        'modified /was-dir',
        'modified /was-file',
      ]);
    });

    it('reports the root directory when its owner or mode changed', async () => {
      await on.base();
      await on.graph.createSnapshot(id('c'), id('base'));
      withRoot(on.graph.rootMount(id('c')), (root) => chmodSync(root, 0o700));
      expect(await on.changesOf(id('c'))).toEqual(['modified /']);
    });

    it('follows no symlink when it looks for changes', async () => {
      await on.graph.createLayer(id('base'), null, async ({ path }) => {
        mkdirSync(join(path, 'dir'));
        writeFileSync(join(path, 'dir', 'file'), '');
      });
      await on.graph.createSnapshot(id('c'), id('base'));
      withRoot(on.graph.rootMount(id('c')), (root) => {
        rmSync(join(root, 'dir'), { recursive: true });
        symlinkSync('/etc', join(root, 'dir'));
      });
      expect(await on.changesOf(id('c'))).toEqual(['modified /dir']);
    });
  });
}
