/** A full disk: operations that make room work without free space. */
import { existsSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { LoopDisk } from '../support/loop-disk.ts';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const MIB = 1024 ** 2;
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Without blocks that only root may use. */
function disk(): string {
  const made = new LoopDisk(96 * MIB, '-m', '0');
  mkdirSync(join(made.path, 'root'));
  cleanups.push(() => made.remove());
  return made.path;
}

/** Not a byte is left. */
function fill(path: string): void {
  for (const size of [MIB, 4096]) {
    try {
      for (;;) writeFileSync(join(path, 'ballast'), Buffer.alloc(size, 'x'), { flag: 'a', flush: true });
    } catch (error) {
      expect(error).toMatchObject({ code: 'ENOSPC' });
    }
  }
}

async function startOn(path: string): Promise<TestSupervisor> {
  const supervisor = new TestSupervisor();
  symlinkSync(join(path, 'root'), supervisor.root);
  cleanups.push(() => supervisor.destroy());
  await supervisor.start();
  await until('the reserve', () => existsSync(join(supervisor.root, 'reserve')));
  return supervisor;
}

const container = (name: string, more = '') =>
  `  ${name}: { image: busybox, command: ${FOREVER}, restart: always${more} }\n`;
const gone = (supervisor: TestSupervisor, name: string) =>
  until(`${name} gone`, async () => (await supervisor.container(name)) === undefined);

test('stop, delete, rm of a manifest, rmi, prune and approve work and last', async () => {
  const path = disk();
  const supervisor = await startOn(path);
  const greedy = shell('head -c 8388608 /dev/urandom > /data; trap "exit 0" TERM; while :; do sleep 3600 & wait; done');
  const file = supervisor.file(
    'apply/app.yaml',
    `${BUSYBOX_IMAGE}volumes: { data: { onRemove: delete } }\ncontainers:\n${container('stays')}${container('stopped')}${container('deleted')}  greedy: { image: busybox, command: ${greedy}, volumes: [data:/v] }\n`,
  );
  const watched = supervisor.drop('watched.yaml', `${BUSYBOX_IMAGE}containers:\n${container('dropped')}`);
  await supervisor.ok('apply', '--wait=2m', '-f', file);
  await supervisor.waitFor('dropped', 'ready', ({ ready }) => ready);
  const stays = await supervisor.waitFor('stays', 'ready', ({ ready }) => ready);
  await supervisor.ok('tag', stays.imageId ?? '', 'spare:1');
  fill(path);

  await supervisor.ok('stop', 'stopped');
  expect(await supervisor.container('stopped')).toMatchObject({ phase: 'Exited' });
  fill(path);
  await supervisor.ok('delete', 'container/deleted');
  await gone(supervisor, 'deleted');
  fill(path);
  rmSync(watched);
  await gone(supervisor, 'dropped');
  fill(path);
  await supervisor.ok('rmi', 'spare:1');
  await supervisor.ok('system', 'prune');
  fill(path);
  await supervisor.crash();
  await supervisor.start();
  expect(await supervisor.container('stopped')).toMatchObject({ phase: 'Exited' });
  const names = (await supervisor.containers()).map(({ name }) => name);
  expect(names.sort()).toEqual(['greedy', 'stays', 'stopped']);

  await supervisor.ok('delete', '-f', file);
  await gone(supervisor, 'greedy');
  await gone(supervisor, 'stays');
  await supervisor.ok('approve');
  await until('the data gone', async () => !(await supervisor.ok('get', 'volumes')).includes('data'));
  expect(existsSync(`/proc/${stays.pid}`)).toBe(false);
  expect(supervisor.log.split('\n').filter((line) => line.includes('TSD_BUG'))).toEqual([]);
});

test('a stop that cannot be recorded is carried out with a warning', async () => {
  const path = disk();
  const supervisor = await startOn(path);
  supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n${container('web')}`);
  const { pid } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  // A pass in between makes the reserve again.
  await until('a full disk without a reserve', () => {
    rmSync(join(path, 'ballast'), { force: true });
    rmSync(join(supervisor.root, 'reserve'), { force: true });
    fill(path);
    return !existsSync(join(supervisor.root, 'reserve'));
  });
  const { status, stderr } = await supervisor.cli('stop', 'web');
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: expect.stringMatching(
      /^error: container app-web is stopped, but the disk is full: .*\nhint: Free space and `tsdocker stop app-web` again/,
    ),
  });
  expect(existsSync(`/proc/${pid}`)).toBe(false);
  expect(await supervisor.container('web')).toMatchObject({ phase: 'Exited' });
  rmSync(join(path, 'ballast'));
  await supervisor.ok('stop', 'app-web');
  await supervisor.crash();
  await supervisor.start();
  expect(await supervisor.container('web')).toMatchObject({ phase: 'Exited' });
});
