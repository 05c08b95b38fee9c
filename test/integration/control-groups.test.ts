/** Control groups of a supervisor: refused ones, and those of a killed supervisor. */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { DoctorCheck } from '../../src/api/views/host-views.ts';
import { findHierarchies, hostSources } from '../../src/drivers/exec/native/cgroups/hierarchies.ts';
import { app, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const { v1, unified } = findHierarchies(hostSources());
const mountOf = (name: string): string | undefined => v1.find((hierarchy) => hierarchy.name === name)?.mount;

async function supervise(launcher: readonly string[] = []): Promise<TestSupervisor> {
  const supervisor = new TestSupervisor([], launcher);
  onTestFinished(() => supervisor.destroy());
  return supervisor.start();
}

/** Groups of a process by hierarchy, as the host has them. */
const groupsOf = (pid: number | null): string[] => readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim().split('\n');

test.runIf(mountOf('freezer') !== undefined && mountOf('pids') !== undefined)(
  'a read-only hierarchy is named and stops only containers with a limit that needs it',
  async () => {
    const shut = `mount -o remount,bind,ro ${mountOf('freezer')}; mount -o remount,bind,ro ${mountOf('pids')}; exec "$@"`;
    const supervisor = await supervise(['unshare', '-m', 'sh', '-ec', shut, 'sh']);
    supervisor.drop(
      'app.yaml',
      app(
        `  free: { image: busybox, command: ${FOREVER} }\n  limited: { image: busybox, command: ${FOREVER}, resources: { pids: 50 } }\n`,
      ),
    );
    const { id, pid, conditions } = await supervisor.waitFor('free', 'runs', ({ ready }) => ready);
    const own = `/tsdocker-${supervisor.instance}/${id}`;
    const shared = groupsOf(pid).filter((line) => !line.endsWith(own));
    expect(shared.map((line) => line.split(':')[1]).sort()).toEqual(['freezer', 'pids']);
    const condition = conditions.find(({ type }) => type === 'SharedGroups');
    expect(condition?.message).toMatch(/^it shares control groups of the host \((pids, freezer|freezer, pids)\)/);
    expect(await supervisor.ok('why', 'free')).toContain('it shares control groups of the host');
    const checks = JSON.parse((await supervisor.cli('doctor', '-o', 'json')).stdout) as DoctorCheck[];
    const warnings = checks.filter(({ status }) => status === 'warning').map(({ message }) => message);
    for (const name of ['freezer', 'pids']) {
      const line = `containers have no control group of their own in the hierarchy ${name}, and share that of the supervisor`;
      expect(warnings).toContainEqual(expect.stringContaining(line));
    }
    expect(warnings).toContainEqual(expect.stringContaining('containers in groups of the host: app-free'));
    const limited = await supervisor.waitFor('limited', 'fails', ({ message }) => message.includes('EROFS'));
    expect(limited).toMatchObject({ pid: null });
  },
);

test('every container has its own groups, which doctor checks', async () => {
  const supervisor = await supervise();
  supervisor.drop('app.yaml', app(`  web: { image: busybox, command: ${FOREVER} }\n`));
  await supervisor.waitFor('web', 'runs', ({ ready }) => ready);
  const checks = JSON.parse((await supervisor.cli('doctor', '-o', 'json')).stdout) as DoctorCheck[];
  expect(checks.find(({ name }) => name === 'control groups')).toMatchObject({ status: 'ok' });
});

test('a build step, a probe and exec see only the groups of their container', async () => {
  const supervisor = await supervise();
  supervisor.file(
    'image/Dockerfile',
    'FROM busybox\nSHELL ["busybox", "sh", "-c"]\nRUN busybox cat /proc/self/cgroup > /step\n',
  );
  const probe = JSON.stringify(['busybox', 'sh', '-c', 'busybox cat /proc/self/cgroup > /probe']);
  const file = supervisor.file(
    'app.yaml',
    `images: { busybox: { host: [busybox] }, built: { build: ./image } }
containers: { web: { image: built, command: ${FOREVER}, health: { exec: ${probe}, interval: 200ms } } }
`,
  );
  await supervisor.ok('apply', '--wait=2m', '-f', file);
  for (const path of ['/step', '/probe', '/proc/self/cgroup', '/proc/1/cgroup']) {
    const lines = (await supervisor.ok('exec', 'web', '--', 'busybox', 'cat', path)).trim().split('\n');
    expect(lines.length).toBeGreaterThan(v1.length);
    expect(lines.filter((line) => !line.endsWith(':/'))).toEqual([]);
  }
  const web = await supervisor.waitFor('web', 'is healthy', ({ ready }) => ready);
  expect(web.conditions.find(({ type }) => type === 'Healthy')?.status).toBe(true);
});

test('the next supervisor removes empty groups of a killed one', async () => {
  const supervisor = await supervise();
  supervisor.drop('app.yaml', app(`  web: { image: busybox, command: ${FOREVER} }\n`));
  await supervisor.waitFor('web', 'runs', ({ ready }) => ready);
  await supervisor.crash();
  const left = [...v1.map(({ directory }) => directory), unified].map((directory) =>
    join(directory, `tsdocker-${supervisor.instance}`, randomBytes(32).toString('hex')),
  );
  for (const path of left) mkdirSync(path);
  await supervisor.start();
  await until('the groups to be removed', () => left.every((path) => !existsSync(path)));
});
