import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync, rmSync, statfsSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { ManifestView } from '../../src/api/views/resource-views.ts';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const MIB = 1024 ** 2;
const cleanups: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startSupervisor(prepare: (supervisor: TestSupervisor) => void = () => {}): Promise<TestSupervisor> {
  const supervisor = new TestSupervisor();
  prepare(supervisor);
  cleanups.push(() => supervisor.destroy());
  return await supervisor.start();
}

function smallDisk(): string {
  const disk = mkdtempSync('/tmp/tsd-test-disk-');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', disk]);
  cleanups.push(() => {
    execFileSync('umount', [disk]);
    rmdirSync(disk);
  });
  return disk;
}

test('a stopped payload is killed after its grace period', async () => {
  const supervisor = await startSupervisor();
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:\n  frozen: { image: busybox, command: ${FOREVER}, stopTimeout: 300ms, restart: always }\n`,
  );
  const { pid } = await supervisor.waitFor('frozen', 'ready', ({ ready }) => ready);
  process.kill(pid ?? 0, 'SIGSTOP');
  await supervisor.ok('stop', 'frozen');
  expect(await supervisor.container('frozen')).toMatchObject({ phase: 'Exited', exitCode: 137, pid: null });
});

test('a flood of output is limited to its log files and keeps the end', async () => {
  const supervisor = await startSupervisor();
  const line = 'x'.repeat(1000);
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:\n  flood: { image: busybox, command: ${shell(`yes ${line} | head -n 65000; echo the end; exit 3`)} }\n  calm: { image: busybox, command: ${FOREVER} }\n`,
  );
  await supervisor.waitFor('calm', 'ready', ({ ready }) => ready);
  const flood = await supervisor.waitFor('flood', 'ended', ({ phase }) => phase === 'Exited');
  expect(flood).toMatchObject({ exitCode: 3 });
  const directory = join(supervisor.root, 'containers', flood.id);
  const logs = readdirSync(directory).filter((name) => name.includes('-json.log'));
  expect(logs.length).toBeGreaterThan(1);
  expect(logs.length).toBeLessThanOrEqual(5);
  for (const name of logs) expect(statSync(join(directory, name)).size).toBeLessThanOrEqual(10 * MIB + 64 * 1024);
  expect(await supervisor.ok('logs', '--tail', '2', 'flood')).toBe(`${line}\nthe end\n`);
});

test('a full disk holds ops that need room, reports it, and continues when there is room', async () => {
  const disk = smallDisk();
  const manifest = (name: string) =>
    `${BUSYBOX_IMAGE}containers:\n  ${name}: { image: busybox, command: ${FOREVER}, restart: always }\n`;
  const supervisor = await startSupervisor(({ root }) => symlinkSync(disk, root));
  supervisor.drop(
    'first.yaml',
    `${manifest('first')}  mortal: { image: busybox, command: ${FOREVER}, restart: always }\n`,
  );
  const first = await supervisor.waitFor('first', 'ready', ({ ready }) => ready);
  const mortal = await supervisor.waitFor('mortal', 'ready', ({ ready }) => ready);

  const ballast = join(disk, 'ballast');
  const fill = () => {
    for (const size of [MIB, 4096]) {
      try {
        for (;;) writeFileSync(ballast, Buffer.alloc(size), { flag: 'a' });
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENOSPC' });
      }
    }
  };
  fill();
  // All of it or nothing: what could not be written down was not applied.
  const file = supervisor.file('second.yaml', manifest('second'));
  expect(await supervisor.cli('apply', '-f', file)).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/^error: the disk is full: .*(history\.db|declarations).*\nhint: Free space/),
  });
  const third = supervisor.drop('third.yaml', manifest('third'));
  const held = async () => {
    const views = JSON.parse(await supervisor.ok('get', 'manifests', '-o', 'json')) as ManifestView[];
    return views.find((view) => view.file === third)?.held ?? null;
  };
  expect(await until('the manifest is held', held)).toContain('it waits to be taken over: the disk is full');
  process.kill(mortal.pid ?? 0, 'SIGKILL');
  await supervisor.waitFor('mortal', 'waiting', ({ message }) => message.includes('the disk is full'));
  await supervisor.crash();
  fill();
  await supervisor.start();
  expect(await supervisor.container('first')).toMatchObject({ phase: 'Running', pid: first.pid });
  expect(await until('the manifest is held again', held)).toContain('the disk is full');
  const names = (await supervisor.containers()).map(({ name }) => name);
  expect(names).toEqual(['first', 'mortal']);

  rmSync(ballast);
  await supervisor.waitFor('third', 'taken over', ({ ready }) => ready);
  await supervisor.waitFor('mortal', 'back', ({ ready }) => ready);
  expect(await supervisor.ok('why', 'mortal')).toMatch(/exited with 137 \(SIGKILL\) \(run 1\)[\s\S]*started \(run 2\)/);
  expect(await held()).toBeNull();
  await supervisor.ok('apply', '--wait=2m', '-f', file);
  expect(await supervisor.container('second')).toMatchObject({ phase: 'Running' });
  expect(await supervisor.container('first')).toMatchObject({ phase: 'Running', pid: first.pid, restarts: 0 });
});

test('a change is held before anything stops when there is little room', async () => {
  const disk = smallDisk();
  const supervisor = await startSupervisor(({ root }) => symlinkSync(disk, root));
  const manifest = (mode: string) =>
    `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER}, env: { MODE: ${mode} } }\n`;
  const file = supervisor.drop('app.yaml', manifest('one'));
  const before = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const { bavail, bsize } = statfsSync(disk);
  const ballast = join(disk, 'ballast');
  // Enough for what the supervisor itself writes down.
  writeFileSync(ballast, Buffer.alloc(bavail * bsize - 4 * MIB));
  supervisor.drop('app.yaml', manifest('two'));
  const held = await supervisor.waitFor('web', 'held', ({ message }) => message.includes('free on the disk'));
  expect(held).toMatchObject({ id: before.id, pid: before.pid, phase: 'Running', restarts: 0 });
  expect(held.message).toMatch(/only [23]MiB are free on the disk/);
  expect(held.message).toContain(`${file}:4:`);
  rmSync(ballast);
  await supervisor.waitFor('web', 'changed', ({ ready, pid }) => ready && pid !== before.pid);
});
