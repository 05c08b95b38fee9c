import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GraphDriver } from '../../../src/drivers/contract/graph.ts';
import { createDeviceMapperDriver } from '../../../src/drivers/graph/devicemapper/devicemapper-driver.ts';
import type { StorageOptions } from '../../../src/drivers/graph/storage-options.ts';
import { temporaryDirectory } from '../../support/images.ts';
import { withRoot } from './root-view.ts';
import { graphDriverSuite } from './suite.ts';

/** Small, because every test makes a pool and a filesystem of its own. */
const SMALL: StorageOptions = [
  ['dm.basesize', '64M'],
  ['dm.loopdatasize', '512M'],
  ['dm.loopmetadatasize', '8M'],
];
const MEGABYTE = 1024 ** 2;

const create = (root: string): GraphDriver => createDeviceMapperDriver(root, SMALL);
const devices = (): string[] => execFileSync('dmsetup', ['ls'], { encoding: 'utf8' }).match(/tsd-\S+/g) ?? [];

function whatIsMissing(): string | null {
  const temporary = temporaryDirectory();
  try {
    const { works, problems } = create(temporary.path).fingerprint();
    return works ? null : problems.map(({ what }) => what).join(', ');
  } finally {
    temporary.remove();
  }
}

function deviceMapperTests(): void {
  graphDriverSuite('devicemapper', create);

  describe('devicemapper on disk', () => {
    let temporary: ReturnType<typeof temporaryDirectory>;
    let graph: GraphDriver;
    const at = (...parts: string[]): string => join(temporary.path, 'devicemapper', ...parts);
    const json = (...parts: string[]): unknown => JSON.parse(readFileSync(at(...parts), 'utf8'));
    beforeEach(() => {
      temporary = temporaryDirectory();
      graph = create(temporary.path);
    });
    afterEach(() => {
      graph.close();
      temporary.remove();
    });

    it('is laid out as Docker 1.4 has it', async () => {
      await graph.createLayer('layer', null, async ({ path }) => writeFileSync(join(path, 'a'), 'x'));
      await graph.createSnapshot('c', 'layer');
      expect(json('metadata', 'base')).toEqual({
        device_id: 0,
        size: 64 * MEGABYTE,
        transaction_id: 1,
        initialized: true,
      });
      expect(json('metadata', 'layer')).toMatchObject({ device_id: 1, size: 64 * MEGABYTE, transaction_id: 2 });
      expect(json('metadata', 'c')).toMatchObject({ device_id: 2, parent: 'layer', type: 'snapshot' });
      expect(json('metadata', 'deviceset-metadata')).toEqual({ next_device_id: 3 });
      expect(json('metadata', 'transaction-metadata')).toEqual({
        open_transaction_id: 3,
        device_hash: 'c',
        device_id: 2,
      });
      expect(readdirSync(at('devicemapper')).sort()).toEqual(['data', 'metadata']);
      expect(statSync(at('devicemapper', 'data'))).toMatchObject({ size: 512 * MEGABYTE });
    });

    it('leaves no device behind when it closes and finds all layers again', async () => {
      await graph.createLayer('layer', null, async ({ path }) => writeFileSync(join(path, 'a'), 'x'));
      await graph.createSnapshot('c', 'layer');
      withRoot(graph.rootMount('c'), (root) => writeFileSync(join(root, 'b'), 'y'));
      expect(devices()).not.toEqual([]);
      graph.close();
      await expect.poll(devices).toEqual([]);
      expect(execFileSync('losetup', ['-j', at('devicemapper', 'data')], { encoding: 'utf8' })).toBe('');
      withRoot(graph.rootMount('c'), (root) => expect(readdirSync(root).sort()).toEqual(['a', 'b']));
    });

    it('keeps a device that is in use and takes it over at the next start', async () => {
      await graph.createSnapshot('c', null);
      withRoot(graph.rootMount('c'), (root) => {
        writeFileSync(join(root, 'before'), '');
        graph.close();
        writeFileSync(join(root, 'meanwhile'), '');
        const restarted = create(temporary.path);
        withRoot(restarted.rootMount('c'), (again) => {
          expect(readdirSync(again).sort()).toEqual(['before', 'meanwhile']);
        });
        restarted.close();
      });
    });

    it('removes a device whose creation was interrupted', async () => {
      await graph.createSnapshot('c', null);
      const pool = devices().find((name) => name.endsWith('-pool')) ?? '';
      // What a crash leaves between the pool's message and the record.
      execFileSync('dmsetup', ['message', pool, '0', 'create_thin 7']);
      writeFileSync(
        at('metadata', 'transaction-metadata'),
        JSON.stringify({ open_transaction_id: 3, device_hash: 'lost', device_id: 7 }),
      );
      graph.close();
      graph = create(temporary.path);
      await graph.createSnapshot('d', null);
      execFileSync('dmsetup', ['message', pool, '0', 'create_thin 7']);
      expect(graph.list().map(({ id }) => id)).toEqual(['c', 'd']);
    });

    it('returns the blocks of a removed layer to the disk', async () => {
      const used = (): number => statSync(at('devicemapper', 'data')).blocks * 512;
      await graph.createLayer('base-layer', null, async () => {});
      const before = used();
      await graph.createLayer('big', 'base-layer', async ({ path }) => {
        writeFileSync(join(path, 'big'), Buffer.alloc(24 * MEGABYTE, 'x'));
      });
      expect(used()).toBeGreaterThan(before + 24 * MEGABYTE);
      await graph.remove('big');
      expect(used()).toBeLessThan(before + 8 * MEGABYTE);
    });

    it('uses an existing pool', async () => {
      mkdirSync(at('devicemapper'), { recursive: true });
      await graph.createSnapshot('first', null);
      const pool = devices().find((name) => name.endsWith('-pool')) ?? '';
      const other = join(temporary.path, 'other');
      mkdirSync(other);
      const named = createDeviceMapperDriver(other, [...SMALL, ['dm.thinpooldev', `/dev/mapper/${pool}`]]);
      expect(named.fingerprint()).toMatchObject({ works: true });
      expect(createDeviceMapperDriver(other, [['dm.thinpooldev', 'none']]).fingerprint()).toMatchObject({
        works: false,
      });
      await named.createLayer('layer', null, async ({ path }) => writeFileSync(join(path, 'a'), 'x'));
      await named.createSnapshot('c', 'layer');
      withRoot(named.rootMount('c'), (root) => expect(readdirSync(root)).toEqual(['a']));
      expect(readdirSync(join(other, 'devicemapper'))).not.toContain('devicemapper');
      named.close();
      expect(devices()).toContain(pool);
    });

    it('refuses sparse files that another pool uses', async () => {
      mkdirSync(at('devicemapper'), { recursive: true });
      writeFileSync(at('devicemapper', 'data'), Buffer.alloc(MEGABYTE));
      const loop = execFileSync('losetup', ['-f', '--show', at('devicemapper', 'data')], { encoding: 'utf8' }).trim();
      try {
        await expect(graph.createSnapshot('c', null)).rejects.toThrow(new RegExp(`data is in use by ${loop}`));
      } finally {
        execFileSync('losetup', ['-d', loop]);
      }
    });
  });
}

const missing = whatIsMissing();
if (missing === null) deviceMapperTests();
else describe('graph driver devicemapper', () => it.skip(`${missing}: npm run e2e tests it in a virtual machine`));
