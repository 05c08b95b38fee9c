import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ImageView } from '../../src/api/views/resource-views.ts';
import { busyboxBase, dockerArchive, findBusybox, tarOf } from '../support/images.ts';
import { FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const busybox = findBusybox();
let supervisor: TestSupervisor;

beforeEach(() => {
  supervisor = new TestSupervisor();
});
afterEach(() => supervisor.destroy());

const tags = async (): Promise<string[]> =>
  (JSON.parse(await supervisor.ok('images', '-o', 'json')) as ImageView[]).flatMap((image) => image.tags).sort();

describe.skipIf(busybox === null)('images and generations (needs busybox)', () => {
  /** An archive whose image differs by its marker. */
  const archive = (marker: string): string =>
    supervisor.file(
      'app.tar',
      dockerArchive({ layers: [busyboxBase(), tarOf({ path: 'marker', content: marker })], names: ['app:1'] }),
    );
  const marker = async (): Promise<string> => (await supervisor.cli('exec', 'web', 'cat', '/marker')).stdout;
  const applied = async (value: string): Promise<void> => {
    const file = supervisor.file(
      'app.yaml',
      `images: { app: { archive: ${archive(value)} } }\ncontainers:\n  web: { image: app, command: ${FOREVER}, env: { V: ${value} } }\n`,
    );
    await supervisor.ok('apply', '--refresh', '--wait=2m', '-f', file);
  };

  test('a rollback has its image after a prune, although file and tag changed', async () => {
    await supervisor.start('--keep-generations', '2');
    await applied('one');
    await applied('two');
    expect(await marker()).toBe('two');
    await supervisor.ok('system', 'prune', '-a', '--force');
    await supervisor.ok('rollback', '--to', '1', '--wait=2m');
    expect(await marker()).toBe('one');
    await supervisor.ok('apply', '--refresh', '--wait=2m', '-f', join(supervisor.base, 'app.yaml'));
    expect(await marker()).toBe('two');
    await applied('three');
    const gone = JSON.parse(await supervisor.ok('system', 'prune', '-a', '-f', '-o', 'json'));
    expect(gone.images).toHaveLength(1);
    expect(await marker()).toBe('three');
    await supervisor.ok('rollback', '--to', '4', '--wait=2m');
    expect(await marker()).toBe('two');
  });

  test('a rollback restores a deleted container with its image', async () => {
    await supervisor.start();
    await applied('one');
    const { imageId } = (await supervisor.container('web')) ?? {};
    await supervisor.ok('delete', '-f', join(supervisor.base, 'app.yaml'), '--wait=2m');
    archive('two');
    const refused = await supervisor.cli('rmi', imageId ?? '');
    expect(refused.status).not.toBe(0);
    expect(refused.stderr).toContain('a rollback to a kept generation needs it');
    await supervisor.ok('rollback', '--to', '1', '--wait=2m');
    expect(await marker()).toBe('one');
  });
});

describe.skipIf(busybox === null)('a disk that fills (needs busybox)', () => {
  const MIB = 1024 ** 2;
  let mounted = false;
  afterEach(async () => {
    if (!mounted) return;
    await supervisor.ok('delete', '--all');
    await until('no container', async () => (await supervisor.containers()).length === 0);
    await supervisor.stop();
    execFileSync('umount', [supervisor.root]);
    mounted = false;
  });

  test('evicts the least recently needed images down to the low mark', async () => {
    mkdirSync(supervisor.root);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m', 'tmpfs', supervisor.root]);
    mounted = true;
    await supervisor.start('--gc-high=60', '--gc-low=40', '--gc-interval=200ms', '--gc-min-age=0s', '--log-budget=1k');
    const load = async (name: string): Promise<void> => {
      const layers = [tarOf({ path: name, content: randomBytes(10 * MIB) })];
      await supervisor.ok(
        'load',
        '-i',
        supervisor.file(`${name}.tar`, dockerArchive({ layers, names: [`${name}:1`] })),
      );
    };
    const noted = (count: number): Promise<boolean> =>
      until(`${count} images noted`, async () => {
        const history = new Database(join(supervisor.root, 'history.db'), { readonly: true });
        const found = history.prepare('SELECT image_id FROM image_use').all().length;
        history.close();
        return found === count;
      });
    const manifest = `images: { app: { archive: ${supervisor.file('app.tar', dockerArchive({ layers: [busyboxBase()] }))} } }\ncontainers:\n  web: { image: app, command: ${FOREVER} }\n`;
    await supervisor.ok('apply', '--wait=2m', '-f', supervisor.file('app.yaml', manifest));
    const web = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    const logs = join(supervisor.root, 'containers', web.id);
    writeFileSync(join(logs, `${web.id}-json.log.1`), 'x'.repeat(4096));
    for (const [index, name] of ['a', 'b'].entries()) {
      await load(name);
      await noted(index + 2);
    }
    expect(await tags()).toEqual(['a:1', 'app/app:latest', 'b:1']);
    await load('c');
    await until('images collected', async () => (await tags()).length < 4);
    expect(await tags()).toEqual(['app/app:latest', 'c:1']);
    expect(await supervisor.container('web')).toMatchObject({ phase: 'Running', restarts: 0 });
    expect(supervisor.log).toContain('removed images that were not needed for long');
    expect(readdirSync(logs).filter((name) => name.endsWith('.log.1'))).toEqual([]);
  });
});
