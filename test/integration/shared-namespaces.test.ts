/** Containers of Docker's clients and of manifests in namespaces of the host and of each other. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { busyboxArchive } from '../support/busybox-image.ts';
import { docker } from '../support/docker-client.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  await supervisor.ok('load', '-i', supervisor.file('busybox.tar', busyboxArchive('busybox:latest')));
});
afterAll(() => supervisor.destroy());

const WAIT = ['--network', 'none', 'busybox', 'sleep', '1000'];

async function say(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await docker(supervisor.socket, args);
  expect(status, stderr).toBe(0);
  return stdout.trim();
}

const pidOf = async (name: string): Promise<number> => Number(await say('inspect', '-f', '{{.State.Pid}}', name));

async function running(name: string, ...options: readonly string[]): Promise<number> {
  await say('run', '-d', '--name', name, ...options, ...WAIT);
  return pidOf(name);
}

const namespace = (pid: number | 'self', name: string): string => readlinkSync(`/proc/${pid}/ns/${name}`);

/** The first of two processes that run in the same namespaces; null where they do not, or not yet. */
function together(pid: number, other: number): number | null {
  const present = [pid, other].every((one) => one > 0 && existsSync(`/proc/${one}/ns/pid`));
  return present && ['pid', 'ipc'].every((name) => namespace(pid, name) === namespace(other, name)) ? pid : null;
}

test('docker run in the namespaces of the host', async () => {
  const hosts = ['--pid', 'host', '--ipc', 'host', '--uts', 'host', '--cgroupns', 'host', '--userns', 'host'];
  const pid = await running(
    'hosted',
    ...hosts,
    '--security-opt',
    'label=disable',
    '--security-opt',
    'apparmor=unconfined',
  );
  for (const name of ['pid', 'ipc', 'uts', 'cgroup', 'user'])
    expect(namespace(pid, name)).toBe(namespace('self', name));
  for (const name of ['mnt', 'net']) expect(namespace(pid, name)).not.toBe(namespace('self', name));
  const modes = '{{with .HostConfig}}{{.PidMode}} {{.IpcMode}} {{.UTSMode}} {{.CgroupnsMode}}{{end}}';
  expect(await say('inspect', '-f', modes, 'hosted')).toBe('host host host host');
  await say('rm', '-f', 'hosted');
});

test('docker run in the namespaces of another container, and what joins nothing', async () => {
  const first = await running('first', '--ipc', 'shareable');
  const second = await running('second', '--pid', 'container:first', '--ipc', 'container:first');
  for (const name of ['pid', 'ipc']) expect(namespace(second, name)).toBe(namespace(first, name));
  const id = await say('inspect', '-f', '{{.Id}}', 'first');
  expect(await say('inspect', '-f', '{{.HostConfig.PidMode}}', 'second')).toBe(`container:${id}`);
  const refused = await docker(supervisor.socket, ['create', '--ipc', 'container:second', ...WAIT]);
  expect(refused.stderr).toContain('non-shareable IPC (hint: use IpcMode:shareable for the donor container)');
  await say('rename', 'first', 'other');
  expect(await say('inspect', '-f', '{{.HostConfig.PidMode}}', 'second')).toBe(`container:${id}`);
  expect(await pidOf('second')).toBe(second);
  await say('rm', '-f', 'second', 'other');
});

test('mounts of the host below a bind that propagates', async () => {
  const tree = join(supervisor.base, 'tree');
  const late = join(tree, 'late');
  mkdirSync(tree);
  execFileSync('mount', ['-t', 'tmpfs', 'none', tree]);
  execFileSync('mount', ['--make-shared', tree]);
  mkdirSync(late);
  try {
    const pid = await running('slave', '-v', `${tree}:/data:rslave`);
    expect(await say('inspect', '-f', '{{(index .Mounts 0).Propagation}}', 'slave')).toBe('rslave');
    execFileSync('mount', ['-t', 'tmpfs', 'none', late]);
    const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
    expect(mounts).toMatch(/ \/data [^-]*master:\d+ -/);
    expect(mounts).toContain(' /data/late ');
    await say('rm', '-f', 'slave');
  } finally {
    execFileSync('umount', ['-R', tree]);
  }
  const failed = await docker(supervisor.socket, [
    'run',
    '-d',
    '--name',
    'none',
    '-v',
    `${supervisor.base}:/d:rshared`,
    ...WAIT,
  ]);
  expect(failed.stderr).toMatch(/path .* is mounted on \S+ but it is not a shared mount/);
  await say('rm', '-f', 'none');
});

test('a container of a manifest follows the one whose processes it sees into its next run', async () => {
  const app = (seconds: number): string => `app: pair
containers:
  web: {image: busybox:latest, network: none, command: [sleep, "${seconds}"], ipc: shareable}
  beside: {image: busybox:latest, network: none, command: [sleep, "3000"], pid: "container:web", ipc: "container:web", restart: always}
`;
  supervisor.file('pair.yaml', app(1000));
  await supervisor.ok('apply', '-f', join(supervisor.base, 'pair.yaml'));
  const first = await until('both', async () => together(await pidOf('pair-web'), await pidOf('pair-beside')));
  supervisor.file('pair.yaml', app(2000));
  await supervisor.ok('apply', '-f', join(supervisor.base, 'pair.yaml'));
  const next = await until('both again', async () => {
    const web = await pidOf('pair-web');
    return web !== first && together(web, await pidOf('pair-beside'));
  });
  expect(next).not.toBe(first);
  await supervisor.ok('delete', '-f', join(supervisor.base, 'pair.yaml'));
});
