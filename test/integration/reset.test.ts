/** `tsdocker system reset` removes a whole instance and nothing else. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { FOREVER, shell } from '../support/manifests.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const NOTHING = { mounts: [], links: [], tables: [], cgroups: [], processes: [] };

async function withAnApp(): Promise<TestSupervisor> {
  const supervisor = new TestSupervisor();
  onTestFinished(() => supervisor.destroy());
  await supervisor.start();
  const port = await freePort();
  const keeps = shell(
    'trap "echo in peace > /data/end; exit 0" TERM; echo kept > /data/file; while :; do sleep 3600 & wait; done',
  );
  supervisor.drop(
    'app.yaml',
    `images: { busybox: { host: [busybox] } }
networks: { n: {} }
volumes: { data: {} }
containers:
  db: { image: busybox, command: ${keeps}, network: n, volumes: [data:/data], restart: always }
  web: { image: busybox, command: ${FOREVER}, ports: ["${port}:80"], links: [], resources: { memory: 64MiB } }
`,
  );
  for (const name of ['db', 'web']) await supervisor.waitFor(name, 'ready', ({ ready }) => ready);
  await until('the data', () => dataOf(supervisor).length > 0);
  return supervisor;
}

/** Of all volumes below the root. */
function dataOf({ root }: TestSupervisor): string[] {
  const place = join(root, 'vfs', 'dir');
  return existsSync(place) ? readdirSync(place).flatMap((id) => readdirSync(join(place, id))) : [];
}

/** Its process ends a moment after its files are gone; asked to stop then, it does no more. */
const ended = (supervisor: TestSupervisor): Promise<void> => supervisor.stop();

const groupsOf = (instance: string) =>
  execFileSync('find', ['/sys/fs/cgroup', '-type', 'd', '-name', `tsdocker-${instance}*`], { encoding: 'utf8' });

test('without a terminal and --yes it only lists what it would remove', async () => {
  const supervisor = await withAnApp();
  const before = await supervisor.containers();
  const { status, stdout, stderr } = await supervisor.cli('system', 'reset');
  expect(status).toBe(1);
  expect(stderr).toContain('Add --yes');
  expect(stdout).toContain(`The instance ${supervisor.instance} goes`);
  expect(stdout).toContain('2 containers (2 running), 1 image');
  expect(stdout).toMatch(/data of these volumes stays:\n {2}app\/data {2}\//);
  expect(stdout).toContain(supervisor.manifests);
  expect((await supervisor.containers()).map(({ pid }) => pid)).toEqual(before.map(({ pid }) => pid));
});

test('through the supervisor it stops containers and removes everything but volumes and manifests', async () => {
  const supervisor = await withAnApp();
  const { instance } = supervisor;
  const stdout = await supervisor.ok('system', 'reset', '--yes');
  expect(stdout).toContain(`The instance ${instance} is removed.`);
  expect(stdout).toContain('Kept 1 volume');
  expect(supervisor.hostState()).toEqual(NOTHING);
  expect(groupsOf(instance)).toBe('');
  expect(readdirSync(supervisor.root).sort()).toEqual(['vfs', 'volumes']);
  expect(dataOf(supervisor).sort()).toEqual(['end', 'file']);
  expect(readdirSync(supervisor.manifests)).toEqual(['app.yaml']);
  await ended(supervisor);
  expect(existsSync(supervisor.runDir)).toBe(false);
  // The next one finds the data again.
  await supervisor.start();
  expect(supervisor.instance).not.toBe(instance);
  await supervisor.waitFor('db', 'ready', ({ ready }) => ready);
  expect(dataOf(supervisor)).toContain('end');
});

test('without a supervisor it stops containers too, and --volumes deletes data', async () => {
  const supervisor = await withAnApp();
  const { instance } = supervisor;
  const offline = ['system', 'reset', '--root', supervisor.root, '--run-dir', supervisor.runDir];
  const locked = await supervisor.cli(...offline, '--yes');
  expect(locked.status).toBe(1);
  expect(locked.stderr).toContain('another supervisor');
  expect((await supervisor.container('db'))?.ready).toBe(true);
  await supervisor.crash();
  expect(JSON.parse(await supervisor.ok(...offline, '--yes', '-o', 'json'))).toMatchObject({
    instance,
    left: [],
    stays: [],
  });
  expect(supervisor.hostState()).toEqual(NOTHING);
  expect(groupsOf(instance)).toBe('');
  expect(dataOf(supervisor).sort()).toEqual(['end', 'file']);
  // Begun again on what is left of it, it says that this is no root any more.
  expect((await supervisor.cli(...offline, '--volumes', '--yes')).stderr).toContain('is not the root of a supervisor');
  await supervisor.start();
  await supervisor.waitFor('db', 'ready', ({ ready }) => ready);
  await supervisor.stop();
  await supervisor.ok(...offline, '--volumes', '--yes');
  expect(existsSync(supervisor.root)).toBe(false);
  expect(existsSync(supervisor.runDir)).toBe(false);
});

test('refuses a directory that is not a root', async () => {
  const supervisor = new TestSupervisor();
  onTestFinished(() => supervisor.destroy());
  const place = join(supervisor.base, 'precious');
  mkdirSync(place);
  writeFileSync(join(place, 'file'), 'mine');
  const { status, stderr } = await supervisor.cli('system', 'reset', '--root', place, '--volumes', '--yes');
  expect(status).toBe(1);
  expect(stderr).toContain('is not the root of a supervisor');
  expect(readFileSync(join(place, 'file'), 'utf8')).toBe('mine');
});

test('removes temporary files elsewhere too', async () => {
  const supervisor = new TestSupervisor();
  onTestFinished(() => supervisor.destroy());
  const place = join(supervisor.base, 'scratch');
  mkdirSync(place);
  await supervisor.start('--tmpdir', place);
  expect(readdirSync(place)).toEqual([`tsdocker-${supervisor.instance}`]);
  await supervisor.ok('system', 'reset', '--yes');
  await ended(supervisor);
  expect(readdirSync(place)).toEqual([]);
  expect(existsSync(supervisor.root)).toBe(false);
});

test('removes one instance and does not affect another', async () => {
  const [first, second] = [await withAnApp(), await withAnApp()];
  const before = await second.containers();
  const rules = () => execFileSync('nft', ['list', 'table', 'inet', `tsd-${second.instance}`], { encoding: 'utf8' });
  const ours = rules();
  await first.ok('system', 'reset', '--volumes', '--yes');
  await ended(first);
  expect((await second.containers()).map(({ pid, ready }) => [pid, ready])).toEqual(
    before.map(({ pid }) => [pid, true]),
  );
  expect(rules()).toBe(ours);
});
