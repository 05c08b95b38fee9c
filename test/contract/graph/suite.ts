import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GraphDriver, LayerTarget } from '../../../src/drivers/contract.ts';
import { temporaryDirectory } from '../../support/images.ts';
import { withRoot } from './root-view.ts';

const id = (name: string): string => name.padEnd(64, '0');

/** Everything the contract of {@link GraphDriver} promises, whatever the driver. */
export function graphDriverSuite(
  name: string,
  create: (root: string) => GraphDriver,
  makeRoot: () => ReturnType<typeof temporaryDirectory> = temporaryDirectory,
): void {
  describe(`graph driver ${name}`, () => {
    let temporary: ReturnType<typeof temporaryDirectory>;
    let graph: GraphDriver;
    beforeEach(() => {
      temporary = makeRoot();
      graph = create(temporary.path);
    });
    afterEach(() => {
      graph.close();
      temporary.remove();
    });

    const writes =
      (...files: readonly (readonly [path: string, text: string])[]) =>
      async ({ path }: LayerTarget): Promise<void> => {
        for (const [file, text] of files) writeFileSync(join(path, file), text);
      };
    const base = () => graph.createLayer(id('base'), null, writes(['a', '1'], ['b', '2']));
    const never = async (): Promise<void> => {
      throw new Error('fill must not be called');
    };

    it('works here and says where, leaving nothing behind', () => {
      const mounts = readFileSync('/proc/self/mountinfo', 'utf8');
      expect(graph.fingerprint()).toMatchObject({ works: true, problems: [] });
      expect(Object.keys(graph.fingerprint().attributes)).toContain('backing filesystem');
      expect(readFileSync('/proc/self/mountinfo', 'utf8')).toBe(mounts);
      expect(readdirSync(temporary.path)).toEqual([]);
    });

    it('makes a layer once', async () => {
      await base();
      await graph.createLayer(id('base'), null, never);
      expect(graph.exists(id('base'))).toBe(true);
      expect(graph.list()).toEqual([{ id: id('base'), parent: null, type: 'layer' }]);
    });

    it('shares the work of concurrent requests', async () => {
      let fills = 0;
      const fill = async (): Promise<void> => {
        fills += 1;
      };
      await Promise.all([graph.createLayer(id('x'), null, fill), graph.createLayer(id('x'), null, fill)]);
      expect(fills).toBe(1);
    });

    it('leaves nothing of a layer whose content failed, and makes it at the next try', async () => {
      const failing = graph.createLayer(id('x'), null, async (target) => {
        await writes(['half', ''])(target);
        throw new Error('torn');
      });
      await expect(failing).rejects.toThrow('torn');
      expect(graph.exists(id('x'))).toBe(false);
      expect(graph.list()).toEqual([]);
      await graph.createLayer(id('x'), null, writes(['whole', '']));
      graph.createSnapshot(id('c'), id('x'));
      withRoot(graph.rootMount(id('c')), (root) => expect(readdirSync(root)).toEqual(['whole']));
    });

    it('refuses the same layer on another parent', async () => {
      await base();
      await graph.createLayer(id('top'), id('base'), writes());
      const conflict = expect.objectContaining({ code: 'TSD_LAYER_CONFLICT' });
      await expect(graph.createLayer(id('top'), null, never)).rejects.toThrow(conflict);
      graph.createSnapshot(id('c'), id('base'));
      expect(() => graph.createSnapshot(id('c'), id('top'))).toThrow(conflict);
      await expect(graph.createLayer(id('c'), id('base'), never)).rejects.toThrow(conflict);
    });

    it('refuses a parent that does not exist', async () => {
      const missing = expect.objectContaining({ code: 'TSD_IMAGE_MISSING' });
      await expect(graph.createLayer(id('x'), id('none'), never)).rejects.toThrow(missing);
      expect(() => graph.createSnapshot(id('c'), id('none'))).toThrow(missing);
      expect(() => graph.rootMount(id('c'))).toThrow(missing);
      await expect(graph.size(id('x'))).rejects.toThrow(missing);
    });

    it('refuses ids that are paths', async () => {
      const bug = expect.objectContaining({ code: 'TSD_BUG' });
      await expect(graph.createLayer('../x', null, never)).rejects.toThrow(bug);
      expect(() => graph.createSnapshot('a/b', null)).toThrow(bug);
      await expect(graph.remove('..')).rejects.toThrow(bug);
      expect(graph.exists('..')).toBe(false);
    });

    it('shows the layers one upon the other, the nearest on top', async () => {
      await base();
      await graph.createLayer(id('middle'), id('base'), writes(['a', 'changed'], ['c', '3']));
      await graph.createLayer(id('top'), id('middle'), writes(['c', '4']));
      graph.createSnapshot(id('c'), id('top'));
      withRoot(graph.rootMount(id('c')), (root) => {
        const content = readdirSync(root).map((file) => `${file}=${readFileSync(join(root, file), 'utf8')}`);
        expect(content.sort()).toEqual(['a=changed', 'b=2', 'c=4']);
      });
    });

    it('keeps what one snapshot writes from the others and from the layer', async () => {
      await base();
      for (const snapshot of ['c1', 'c2']) graph.createSnapshot(id(snapshot), id('base'));
      withRoot(graph.rootMount(id('c1')), (root) => writeFileSync(join(root, 'a'), 'mine'));
      withRoot(graph.rootMount(id('c2')), (root) => expect(readFileSync(join(root, 'a'), 'utf8')).toBe('1'));
      graph.createSnapshot(id('c1'), id('base'));
      withRoot(graph.rootMount(id('c1')), (root) => expect(readFileSync(join(root, 'a'), 'utf8')).toBe('mine'));
    });

    it('gives a snapshot the owner and mode of its root directory', async () => {
      await graph.createLayer(id('base'), null, async ({ path }) => {
        chownSync(path, 7, 8);
        chmodSync(path, 0o1750);
      });
      await graph.createLayer(id('top'), id('base'), writes());
      graph.createSnapshot(id('c'), id('top'));
      withRoot(graph.rootMount(id('c')), (root) => {
        const { uid, gid, mode } = statSync(root);
        expect({ uid, gid, mode: mode & 0o7777 }).toEqual({ uid: 7, gid: 8, mode: 0o1750 });
      });
    });

    it('makes a snapshot of nothing', () => {
      graph.createSnapshot(id('c'), null);
      withRoot(graph.rootMount(id('c')), (root) => expect(readdirSync(root)).toEqual([]));
    });

    it('removes snapshots and layers, from the top', async () => {
      await base();
      await graph.createLayer(id('top'), id('base'), writes());
      graph.createSnapshot(id('c'), id('top'));
      const conflict = expect.objectContaining({ code: 'TSD_LAYER_CONFLICT' });
      await expect(graph.remove(id('base'))).rejects.toThrow(conflict);
      await expect(graph.remove(id('top'))).rejects.toThrow(conflict);
      for (const each of ['c', 'top', 'base', 'base', 'absent']) await graph.remove(id(each));
      expect(graph.list()).toEqual([]);
    });

    it('measures a layer alone, hard links once', async () => {
      const megabyte = Buffer.alloc(1024 * 1024, 'x');
      await graph.createLayer(id('base'), null, async ({ path }) => {
        writeFileSync(join(path, 'file'), megabyte);
        linkSync(join(path, 'file'), join(path, 'again'));
      });
      const size = await graph.size(id('base'));
      expect(size).toBeGreaterThanOrEqual(megabyte.length);
      expect(size).toBeLessThan(megabyte.length * 1.5);
    });

    it('removes a snapshot whose container nested directories deeper than a path can say', async () => {
      graph.createSnapshot(id('c'), null);
      withRoot(graph.rootMount(id('c')), (root) => {
        writeFileSync(join(root, 'file'), Buffer.alloc(8192, 'x'));
        const nest = `cd "$0" && i=0; while [ $i -lt 50 ]; do mkdir ${'n'.repeat(200)} && cd -P ${'n'.repeat(200)} || exit 1; i=$((i+1)); done`;
        execFileSync('bash', ['-c', nest, root]);
      });
      expect(await graph.size(id('c'))).toBeGreaterThan(0);
      await graph.remove(id('c'));
      expect(graph.list()).toEqual([]);
    });

    const changesOf = async (layer: string): Promise<string[]> => {
      const found: string[] = [];
      for await (const { kind, path, hostPath } of graph.changes(layer)) {
        expect(hostPath !== null && existsSync(hostPath)).toBe(kind !== 'deleted');
        found.push(`${kind} /${path.toString()}`);
      }
      return found.sort();
    };

    it('says what a layer of its own holds', async () => {
      await graph.createLayer(id('base'), null, async ({ path }) => {
        mkdirSync(join(path, 'dir'));
        writeFileSync(join(path, 'dir', 'file'), '');
      });
      expect(await changesOf(id('base'))).toEqual(['added /', 'added /dir', 'added /dir/file']);
      expect(() => graph.changes(id('none'))).toThrow(expect.objectContaining({ code: 'TSD_IMAGE_MISSING' }));
    });

    it('says what a snapshot changed, and nothing before that', async () => {
      await graph.createLayer(id('base'), null, async ({ path }) => {
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
      await graph.createLayer(id('top'), id('base'), writes(['file', '1']));
      graph.createSnapshot(id('c'), id('top'));
      expect(await changesOf(id('c'))).toEqual([]);
      withRoot(graph.rootMount(id('c')), (root) => {
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
      expect(await changesOf(id('c'))).toEqual([
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
      await base();
      graph.createSnapshot(id('c'), id('base'));
      withRoot(graph.rootMount(id('c')), (root) => chmodSync(root, 0o700));
      expect(await changesOf(id('c'))).toEqual(['modified /']);
    });

    it('follows no symlink when it looks for changes', async () => {
      await graph.createLayer(id('base'), null, async ({ path }) => {
        mkdirSync(join(path, 'dir'));
        writeFileSync(join(path, 'dir', 'file'), '');
      });
      graph.createSnapshot(id('c'), id('base'));
      withRoot(graph.rootMount(id('c')), (root) => {
        rmSync(join(root, 'dir'), { recursive: true });
        symlinkSync('/etc', join(root, 'dir'));
      });
      expect(await changesOf(id('c'))).toEqual(['modified /dir']);
    });

    it('finds everything again after a restart and drops what was half made', async () => {
      await base();
      graph.createSnapshot(id('c'), id('base'));
      let release = (): void => {};
      const torn = graph.createLayer(id('torn'), id('base'), () => new Promise((resolve) => (release = resolve)));
      await expect.poll(() => countTemporary(temporary.path)).toBe(1);
      const restarted = create(temporary.path);
      expect(countTemporary(temporary.path)).toBe(0);
      expect([...restarted.list()].sort((a, b) => (a.id < b.id ? -1 : 1))).toEqual([
        { id: id('base'), parent: null, type: 'layer' },
        { id: id('c'), parent: id('base'), type: 'snapshot' },
      ]);
      release();
      await expect(torn).rejects.toThrow();
      expect(restarted.exists(id('torn'))).toBe(false);
    });

    it('does not follow symlinks of a layer when it copies or removes it', async () => {
      const outside = join(temporary.path, 'outside');
      mkdirSync(outside);
      writeFileSync(join(outside, 'precious'), 'x');
      await graph.createLayer(id('base'), null, async ({ path }) => symlinkSync(outside, join(path, 'link')));
      await graph.createLayer(id('top'), id('base'), writes());
      graph.createSnapshot(id('c'), id('top'));
      for (const each of ['c', 'top', 'base']) await graph.remove(id(each));
      expect(existsSync(join(outside, 'precious'))).toBe(true);
    });
  });
}

function countTemporary(root: string): number {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => /\.tmp\/[^/]+$/.test(path)).length;
}
