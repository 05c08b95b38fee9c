import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const supervisor = new TestSupervisor();

beforeAll(async () => {
  await supervisor.start();
});

afterAll(async () => {
  await supervisor.destroy();
});

/** A control file of the group that a process is in, in whichever hierarchy has it. */
function control(pid: number | null, controller: string, v1: string, v2: string): string {
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');
  const paths = groups.map((line) => line.split(':') as [string, string, string]);
  const v1Path = paths.find(([, names]) => names.split(',').includes(controller))?.[2];
  const unified = paths.find(([, names]) => names === '')?.[2] ?? '';
  const candidates = [
    ...(v1Path === undefined ? [] : [join('/sys/fs/cgroup', controller, v1Path, v1)]),
    join('/sys/fs/cgroup', unified, v2),
    join('/sys/fs/cgroup/unified', unified, v2),
  ];
  const path = candidates.find((candidate) => existsSync(candidate));
  return path === undefined ? '' : readFileSync(path, 'utf8').trim();
}

test('limits are set in the kernel, follow an edit in place, and hits are reported', async () => {
  const manifest = (memory: string, pids: number) => `${BUSYBOX_IMAGE}containers:
  limited: { image: busybox, command: ${FOREVER}, resources: { memory: ${memory}, cpus: 0.5, cpuShares: 512, pids: ${pids} } }
  greedy: { image: busybox, command: [busybox, tail, /dev/zero], resources: { memory: 16MiB, memorySwap: 16MiB } }
  neighbour: { image: busybox, command: ${FOREVER} }
`;
  supervisor.drop('app.yaml', manifest('64MiB', 50));
  const limited = await supervisor.waitFor('limited', 'ready', ({ ready }) => ready);
  const neighbour = await supervisor.waitFor('neighbour', 'ready', ({ ready }) => ready);
  const memory = () => control(limited.pid, 'memory', 'memory.limit_in_bytes', 'memory.max');
  expect(memory()).toBe(String(64 * 1024 ** 2));
  expect(control(limited.pid, 'pids', 'pids.max', 'pids.max')).toBe('50');
  expect(control(limited.pid, 'cpu', 'cpu.cfs_quota_us', 'cpu.max')).toMatch(/^50000/);

  const greedy = await supervisor.waitFor('greedy', 'ended', ({ phase }) => phase === 'Exited');
  expect(greedy).toMatchObject({ exitCode: 137, restarts: 0 });
  expect(greedy.message).toContain('out of memory');

  supervisor.drop('app.yaml', manifest('32MiB', 60));
  await until('the new limit', () => memory() === String(32 * 1024 ** 2));
  expect(control(limited.pid, 'pids', 'pids.max', 'pids.max')).toBe('60');
  expect(await supervisor.container('limited')).toMatchObject({ pid: limited.pid, id: limited.id });
  expect(await supervisor.container('neighbour')).toMatchObject({ pid: neighbour.pid });
});

test('a fork bomb stays in its container and can be stopped', async () => {
  supervisor.drop(
    'bomb.yaml',
    `${BUSYBOX_IMAGE}containers:\n  bomb: { image: busybox, command: ${shell('(while :; do sleep 3600 & done); exec tail -f /dev/null')}, resources: { pids: 30 }, stopTimeout: 200ms }\n`,
  );
  const { pid } = await supervisor.waitFor('bomb', 'running', (view) => view.pid !== null);
  const processes = () => Number(control(pid, 'pids', 'pids.current', 'pids.current'));
  await until('the limit reached', () => processes() >= 29);
  await until('the shell refused', async () => (await supervisor.cli('logs', 'bomb')).stderr.includes("can't fork"));
  expect(processes()).toBeLessThanOrEqual(30);
  await supervisor.ok('stop', 'bomb');
  expect(await supervisor.container('bomb')).toMatchObject({ phase: 'Exited', exitCode: 137 });
});
