/** The disk under the root directory fails: every access is EIO, as when the device is gone. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { ContainerView, ManifestView } from '../../src/api/views/resource-views.ts';
import { failFilesystem } from '../support/failing-filesystem.ts';
import { LoopDisk } from '../support/loop-disk.ts';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const cleanups: (() => Promise<void> | void)[] = [];

const manifest = (name: string) =>
  `${BUSYBOX_IMAGE}containers:\n  ${name}: { image: busybox, command: ${FOREVER}, restart: always }\n`;

/** Each, whatever becomes of the others: on a disk that stayed dead the supervisor removes nothing. */
afterEach(async () => {
  const failures: unknown[] = [];
  for (const cleanup of cleanups.splice(0).reverse()) {
    try {
      await cleanup();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
});

/** A supervisor whose root is on a disk of its own, with a container `first` that runs. */
async function onItsOwnDisk() {
  const disk = new LoopDisk(256 * 1024 ** 2);
  mkdirSync(join(disk.path, 'root'));
  cleanups.push(() => disk.remove());
  const supervisor = new TestSupervisor();
  symlinkSync(join(disk.path, 'root'), supervisor.root);
  cleanups.push(() => supervisor.destroy());
  await supervisor.start();
  supervisor.drop('first.yaml', manifest('first'));
  const first = await supervisor.waitFor('first', 'ready', ({ ready }) => ready);
  await until('nothing left to do', async () => (await supervisor.cli('plan')).status === 0);
  return { disk, supervisor, first };
}

/** Its payload goes with it. */
function killShim({ pid }: ContainerView): void {
  const status = execFileSync('cat', [`/proc/${pid}/status`], { encoding: 'utf8' });
  process.kill(Number(/^PPid:\s+(\d+)/m.exec(status)?.[1]), 'SIGKILL');
}

/** A disk comes back with a reboot, which ends all processes. */
async function bringBack(disk: LoopDisk, container: ContainerView): Promise<void> {
  killShim(container);
  await disk.unmount();
  disk.mount();
}

test('is named in errors, ends no container, and loses nothing when it returns', async () => {
  const { disk, supervisor, first } = await onItsOwnDisk();
  const { instance } = supervisor;

  failFilesystem(disk.path);
  const second = supervisor.file('second.yaml', manifest('second'));
  const applied = await supervisor.cli('apply', '-f', second);
  expect(applied.status).not.toBe(0);
  const named = new RegExp(`^error: .*${disk.path}/root/.*: EIO`);
  expect(applied.stderr).toMatch(named);
  const remembered =
    /^warning: the disk fails: read .*\/root\/.*: EIO.*; what is shown is what the supervisor remembers$/m;
  for (const list of ['containers', 'images']) {
    expect(await supervisor.cli('get', list)).toEqual({
      status: 0,
      stdout: expect.stringMatching(/first +(Running|Ready)/),
      stderr: expect.stringMatching(remembered),
    });
  }
  const [view] = await supervisor.containers();
  expect(view).toMatchObject({ id: first.id, phase: 'Running', ready: true, pid: first.pid });
  expect(view?.conditions.find(({ type }) => type === 'DiskFailing')).toMatchObject({ reason: 'StateUnreadable' });
  expect((await supervisor.cli('plan')).stderr).toMatch(named);
  await supervisor.ok('info');
  expect(existsSync(`/proc/${first.pid}`)).toBe(true);

  await supervisor.crash();
  await expect(supervisor.start()).rejects.toThrow(/^the supervisor ended:\nerror: .*EIO/);
  expect(existsSync(`/proc/${first.pid}`)).toBe(true);
  await bringBack(disk, first);
  await supervisor.start();
  expect(supervisor.instance).toBe(instance);
  const again = await supervisor.waitFor('first', 'started again', ({ ready, pid }) => ready && pid !== first.pid);
  expect(again.id).toBe(first.id);
  await supervisor.ok('apply', '--wait=2m', '-f', second);
});

test('refuses edits of a directory on another disk until the disk is back', async () => {
  const { supervisor, disk, first } = await onItsOwnDisk();
  const { pid } = supervisor;
  failFilesystem(disk.path);
  for (const name of ['second', 'third']) {
    const dropped = supervisor.drop(`${name}.yaml`, manifest(name));
    const held = await until(`the edit of ${name}.yaml refused`, async () => {
      const views = JSON.parse(await supervisor.ok('get', 'manifests', '-o', 'json')) as ManifestView[];
      return views.find(({ file }) => file === dropped)?.held;
    });
    expect(held).toMatch(/^it waits to be taken over: .*(history\.db|declarations).*: .*(EIO|SQLITE_IOERR)/);
  }
  expect(supervisor.pid).toBe(pid);
  expect(existsSync(`/proc/${first.pid}`)).toBe(true);

  await supervisor.crash();
  await bringBack(disk, first);
  await supervisor.start();
  for (const name of ['first', 'second', 'third']) await supervisor.waitFor(name, 'ready', ({ ready }) => ready);
});

test('that stays dead blocks no exit report, and cleanup works', async () => {
  const { disk, supervisor, first } = await onItsOwnDisk();
  failFilesystem(disk.path);
  killShim(first);
  await until('the end on the timeline', () => supervisor.log.includes('"event":"exit"'));
  await supervisor.ok('info');
  await supervisor.crash();
  await expect(supervisor.destroy()).rejects.toThrow('EIO');
  expect(supervisor.hostState()).toEqual({ mounts: [], links: [], tables: [], cgroups: [], processes: [] });
  cleanups.pop();
});

test('that is removed does not prevent cleanup', async () => {
  const { supervisor } = await onItsOwnDisk();
  await supervisor.crash();
  rmSync(supervisor.root);
  await supervisor.destroy();
  expect(supervisor.hostState()).toEqual({ mounts: [], links: [], tables: [], cgroups: [], processes: [] });
});
