import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { ManifestView } from '../../src/api/supervisor.ts';
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

test('a stopped payload is killed when its time is over', async () => {
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

test('a flood of output is cut to the files it may have, and its end is there', async () => {
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

test('a full disk holds what needs room, says so, and goes on when there is some', async () => {
  const disk = mkdtempSync('/tmp/tsd-test-disk-');
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=32m', 'tmpfs', disk]);
  cleanups.push(() => {
    execFileSync('umount', [disk]);
    rmdirSync(disk);
  });
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
    stderr: expect.stringMatching(
      /^error: the disk is full: nothing can be written to .*history\.db\nhint: Free space/,
    ),
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
  expect(await supervisor.ok('why', 'mortal')).toMatch(/exited with 137 \(run 1\)[\s\S]*started \(run 2\)/);
  expect(await held()).toBeNull();
  await supervisor.ok('apply', '--wait=60s', '-f', file);
  expect(await supervisor.container('second')).toMatchObject({ phase: 'Running' });
  expect(await supervisor.container('first')).toMatchObject({ phase: 'Running', pid: first.pid, restarts: 0 });
});
