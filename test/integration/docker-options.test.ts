/** Options of `docker create` and `docker update`, as the kernel and the program have them. */
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
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

async function say(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await docker(supervisor.socket, args);
  expect(status, stderr).toBe(0);
  return stdout.trim();
}

const fails = async (...args: readonly string[]): Promise<string> => {
  const { status, stderr } = await docker(supervisor.socket, args);
  expect(status).not.toBe(0);
  return stderr;
};

const WAIT = ['busybox', 'sleep', '1000'];

/** Creates and starts a container that waits, and returns the pid of its first process. */
async function running(name: string, options: readonly string[]): Promise<number> {
  await say('create', '--name', name, ...options, ...WAIT);
  await say('start', name);
  return (await supervisor.waitFor(name, 'running', ({ pid }) => typeof pid === 'number')).pid as number;
}

const status = (pid: number, name: string): string =>
  new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]?.trim() ?? '';
const inside = (pid: number, path: string): string => readFileSync(`/proc/${pid}/root/${path}`, 'utf8').trim();

/** What a file of the container's control group holds, in either version. */
function limitOf(pid: number, v2: string, v1: readonly [controller: string, file: string]): string {
  const groups = readFileSync(`/proc/${pid}/cgroup`, 'utf8');
  const inV1 = new RegExp(`^\\d+:(?:.*,)?${v1[0]}(?:,.*)?:(.*)$`, 'm').exec(groups)?.[1];
  if (inV1 !== undefined) return readFileSync(`/sys/fs/cgroup/${v1[0]}${inV1}/${v1[1]}`, 'utf8').trim();
  const unified = /^0::(.*)$/m.exec(groups)?.[1] ?? '';
  return readFileSync(`/sys/fs/cgroup${unified}/${v2}`, 'utf8').trim();
}

const memoryOf = (pid: number): string => limitOf(pid, 'memory.max', ['memory', 'memory.limit_in_bytes']);

test('limits and rights reach the program', async () => {
  const options = '-m 64m --pids-limit 50 --ulimit nofile=100:200 --shm-size 2m --oom-score-adj 7 --group-add 77';
  const rights = '--cap-drop ALL --cap-add CHOWN --security-opt no-new-privileges --hostname box -u 5:6';
  const pid = await running('limited', `${options} ${rights} --sysctl net.core.somaxconn=321`.split(' '));
  expect(memoryOf(pid)).toBe(String(64 * 2 ** 20));
  expect(limitOf(pid, 'pids.max', ['pids', 'pids.max'])).toBe('50');
  expect(readFileSync(`/proc/${pid}/limits`, 'utf8')).toMatch(/^Max open files +100 +200 /m);
  expect(readFileSync(`/proc/${pid}/mounts`, 'utf8')).toMatch(/ \/dev\/shm tmpfs [^ ]*size=2048k/);
  expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()).toBe('7');
  expect(status(pid, 'Groups').split(' ').sort()).toEqual(['6', '77']);
  expect(status(pid, 'Uid').split(/\s+/)[0]).toBe('5');
  expect(status(pid, 'CapBnd')).toBe('0000000000000001');
  expect(status(pid, 'NoNewPrivs')).toBe('1');
  expect(inside(pid, 'etc/hostname')).toBe('box');
  expect(await supervisor.ok('exec', 'limited', 'cat', '/proc/sys/net/core/somaxconn')).toBe('321\n');
});

test('mounts of all forms', async () => {
  const directory = join(supervisor.base, 'shared');
  mkdirSync(directory);
  writeFileSync(join(directory, 'file'), 'of the host');
  const missing = join(supervisor.base, 'missing');
  const binds = ['-v', `${directory}:/ro:ro`, '-v', `${missing}:/made`, '-v', 'My_data.1:/named', '-v', '/anonymous'];
  const others = ['--tmpfs', '/ram:size=1m', '--mount', `type=bind,source=${directory},target=/m`];
  const pid = await running('mounted', [...binds, ...others]);
  const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
  for (const target of ['/ro', '/made', '/named', '/anonymous', '/ram', '/m']) expect(mounts).toContain(` ${target} `);
  expect(mounts).toMatch(/ \/ro ro,/);
  expect(statSync(missing).isDirectory()).toBe(true);
  // Bound as it is, not as a copy: what changes on the host changes inside.
  writeFileSync(join(directory, 'file'), 'changed');
  expect(inside(pid, 'ro/file')).toBe('changed');
  const taken = await running('taker', ['--volumes-from', 'mounted']);
  writeFileSync(`/proc/${pid}/root/named/note`, 'shared');
  expect(inside(taken, 'named/note')).toBe('shared');
});

test('memory as it is asked for, and a volume that starts empty', async () => {
  const memory = ['--tmpfs', '/ram:mode=750,uid=5,gid=6,exec', '--tmpfs', '/usual'];
  const pid = await running('odd', [...memory, '-v', 'empty_one:/etc/empty:nocopy', '-v', 'full_one:/bin']);
  const mounts = readFileSync(`/proc/${pid}/mountinfo`, 'utf8');
  expect(/^.* \/ram (\S+) .*$/m.exec(mounts)?.[1]).not.toContain('noexec');
  expect(/^.* \/usual (\S+) .*$/m.exec(mounts)?.[1]).toContain('noexec');
  const { mode, uid, gid } = statSync(`/proc/${pid}/root/ram`);
  expect([mode & 0o7777, uid, gid]).toEqual([0o750, 5, 6]);
  expect(statSync(`/proc/${pid}/root/usual`).mode & 0o7777).toBe(0o1777);
  await say(
    'create',
    '--name',
    'bare',
    '-v',
    'bare_one:/bin:nocopy',
    '-v',
    'full_one:/full',
    'busybox',
    '/full/ls',
    '/bin',
  );
  await say('start', 'bare');
  await supervisor.waitFor('bare', 'over', ({ phase }) => phase === 'Exited');
  expect(await supervisor.ok('logs', 'bare')).toBe('');
});

test('on the network of the host it has names of its own', async () => {
  const names = ['--hostname', 'box', '--add-host', 'far:192.0.2.7', '--dns', '192.0.2.53'];
  const pid = await running('hosted', ['--network', 'host', ...names]);
  expect(inside(pid, 'etc/hostname')).toBe('box');
  expect(inside(pid, 'etc/hosts')).toMatch(/^192\.0\.2\.7\tfar$/m);
  expect(inside(pid, 'etc/resolv.conf')).toMatch(/^nameserver 192\.0\.2\.53$/m);
  const plain = await running('plain-host', ['--network', 'host']);
  for (const file of ['etc/hosts', 'etc/resolv.conf'])
    expect(inside(plain, file)).toBe(readFileSync(`/${file}`, 'utf8').trim());
});

const PROFILE = {
  defaultAction: 'SCMP_ACT_ALLOW',
  syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO' }],
};

test('a seccomp profile of the client', async () => {
  const path = supervisor.file('profile.json', JSON.stringify(PROFILE));
  const command = ['busybox', 'sh', '-c', 'busybox mkdir /x 2>/tmp/why; sleep 1000'];
  await say('create', '--name', 'filtered', '--security-opt', `seccomp=${path}`, ...command);
  await say('start', 'filtered');
  const { pid } = await supervisor.waitFor('filtered', 'running', (view) => typeof view.pid === 'number');
  const why = `/proc/${pid}/root/tmp/why`;
  await until('it was refused', () => readFileSync(why, 'utf8').includes('Operation not permitted'));
});

test('limits and policy of a container that runs are changed in place', async () => {
  const pid = await running('changed', ['-m', '64m']);
  await say('update', '-m', '32m', '--memory-swap', '64m', '--restart', 'unless-stopped', 'changed');
  expect(memoryOf(pid)).toBe(String(32 * 2 ** 20));
  expect((await supervisor.container('changed'))?.pid).toBe(pid);
  expect(await fails('update', '-m', '1g', 'changed')).toContain('update the memoryswap at the same time');
  expect(memoryOf(pid)).toBe(String(32 * 2 ** 20));
  process.kill(pid, 'SIGKILL');
  // The policy is that of the update: it had none before.
  const again = await supervisor.waitFor('changed', 'running again', (view) => view.pid !== null && view.pid !== pid);
  expect(memoryOf(again.pid as number)).toBe(String(32 * 2 ** 20));
});

test('a container of a manifest is not changed, and its place is named', async () => {
  const file = supervisor.drop('app.yaml', 'containers: { fixed: { image: busybox, command: [sleep, "1000"] } }');
  const { name, pid } = await supervisor.waitFor('fixed', 'running', (view) => view.pid !== null);
  const before = memoryOf(pid as number);
  expect(await fails('update', '-m', '32m', '--memory-swap', '64m', `app-${name}`)).toContain(
    `is declared at ${file}:1:`,
  );
  expect(memoryOf(pid as number)).toBe(before);
});

test('what a container has is what it had, after a supervisor that was killed', async () => {
  const pid = await running('kept', ['-m', '64m']);
  await say('update', '-m', '32m', '--memory-swap', '64m', 'kept');
  await supervisor.crash();
  await supervisor.start();
  expect((await supervisor.waitFor('kept', 'running', (view) => view.pid === pid)).pid).toBe(pid);
  expect(memoryOf(pid)).toBe(String(32 * 2 ** 20));
  expect(await supervisor.ok('plan')).toContain('Nothing to do.');
});

test('what cannot be done is said, and leaves nothing', async () => {
  const before = (await supervisor.containers()).length;
  expect(await fails('create', '-m', '1m', ...WAIT)).toContain('Minimum memory limit allowed is 6MB');
  expect(await fails('create', '--network', 'nope', ...WAIT)).toContain('network nope not found');
  expect(await fails('create', '--gpus', 'all', ...WAIT)).toContain('could not select device driver');
  expect(await fails('create', '--security-opt', 'apparmor=x', ...WAIT)).toContain(
    'AppArmor profiles are not supported',
  );
  expect((await supervisor.containers()).length).toBe(before);
});
