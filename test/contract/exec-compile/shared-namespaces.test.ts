/** Containers in namespaces of the host and of each other, as the kernel has them. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MountSpec, SharedNamespaces, TaskSpec } from '../../../src/drivers/contract/exec.ts';
import { enterOwnMounts, ownMounts } from '../../support/own-mounts.ts';
import { until } from '../../support/wait.ts';
import { Containers } from './fixture.ts';

let containers: Containers;
beforeAll(enterOwnMounts);
beforeEach(() => {
  containers = new Containers();
});
afterEach(() => containers.dispose());

const namespace = (pid: number | 'self', name: string): string => readlinkSync(`/proc/${pid}/ns/${name}`);

async function waiting(changes: Partial<TaskSpec> = {}): Promise<{ readonly id: string; readonly pid: number }> {
  const spec = containers.spec(['sleep', '1000'], changes);
  const { pid } = await containers.driver.start(spec);
  return { id: spec.containerId, pid };
}

/** What has ended is there until somebody asks for its exit code. */
const runs = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));

const ALL = ['pid', 'ipc', 'uts', 'cgroup', 'mnt'] as const;

describe('namespaces of the host', () => {
  it.each([
    ['pid', { pid: 'host' }],
    ['ipc', { ipc: 'host' }],
    ['uts', { uts: 'host' }],
    ['cgroup', { cgroup: 'host' }],
  ] as const)('%s: that one and no other, for the payload and for sessions in it', async (name, shared) => {
    const { id, pid } = await waiting({ shared });
    for (const each of ALL) expect(namespace(pid, each) === namespace('self', each)).toBe(each === name);
    const { out } = await containers.exec(id, ALL.map((each) => `readlink /proc/self/ns/${each}`).join(';'));
    expect(out.split('\n')).toEqual(ALL.map((each) => namespace(pid, each)));
  });

  it('pid: it sees the processes of the host, and takes its own along when it ends', async () => {
    const script = `[ -d /proc/${process.pid} ] && echo seen; sleep 1000 & echo $!; exec sleep 1000`;
    const spec = containers.spec(['sh', '-c', script], { shared: { pid: 'host' } });
    await containers.driver.start(spec);
    const left = await until('its words', () => {
      const [seen, child] = existsSync(spec.log.path)
        ? readFileSync(spec.log.path, 'utf8')
            .split('\n')
            .filter(Boolean)
            .map((line) => (JSON.parse(line) as { log: string }).log)
        : [];
      return seen === 'seen\n' && child;
    });
    expect(runs(Number(left))).toBe(true);
    await containers.driver.signal(spec.containerId, 9);
    const { exit } = await containers.result(spec);
    expect(exit.signal).toBe(9);
    expect(runs(Number(left))).toBe(false);
  });

  it('ipc: with the /dev/shm of the host', async () => {
    const name = `tsd-test-${containers.instance.id}`;
    writeFileSync(join('/dev/shm', name), 'of the host');
    try {
      const { stdout } = await containers.script(`cat /dev/shm/${name}`, { shared: { ipc: 'host' }, shmBytes: 4096 });
      expect(stdout).toBe('of the host');
    } finally {
      rmSync(join('/dev/shm', name));
    }
  });

  it('uts: keeps the name of the host', async () => {
    expect((await containers.script('hostname', { shared: { uts: 'host' }, hostname: 'other' })).stdout).toBe(
      hostname(),
    );
    expect(hostname()).not.toBe('other');
  });

  it('cgroup: its groups have the paths of the host', async () => {
    const own = await containers.script('cat /proc/self/cgroup');
    expect(own.stdout).toMatch(/^0::\/$/m);
    const spec = containers.spec(['cat', '/proc/self/cgroup'], { shared: { cgroup: 'host' } });
    expect((await containers.run(spec)).stdout).toMatch(new RegExp(`^0::/.*${spec.containerId}$`, 'm'));
  });
});

describe('namespaces of another container', () => {
  it('pid: one sees the processes of the other, under the same numbers, and ends with it', async () => {
    const first = await waiting();
    const shared: SharedNamespaces = { pid: { containerId: first.id } };
    const second = containers.spec(['sleep', '2000'], { shared, oomScoreAdj: 300 });
    const { pid } = await containers.driver.start(second);
    expect(namespace(pid, 'pid')).toBe(namespace(first.pid, 'pid'));
    for (const own of ['ipc', 'uts', 'mnt', 'cgroup']) expect(namespace(pid, own)).not.toBe(namespace(first.pid, own));
    const here = await containers.exec(second.containerId, 'cat /proc/1/cmdline; ps -o args');
    expect(here.out).toContain('sleep\x001000');
    expect(here.out).toContain('sleep 2000');
    expect(readFileSync(`/proc/${pid}/oom_score_adj`, 'utf8').trim()).toBe('300');
    await containers.driver.kill(first.id);
    expect((await containers.result(second)).exit.signal).toBe(9);
  });

  it('pid: its end leaves the other one alone', async () => {
    const first = await waiting();
    const shared: SharedNamespaces = { pid: { containerId: first.id } };
    const ended = await containers.script('sleep 1000 & exit 3', { shared });
    expect(ended.exitCode).toBe(3);
    expect(containers.driver.processes(first.id)).toEqual([first.pid]);
    expect((await containers.exec(first.id, 'ps -o args')).out).not.toMatch(/^sleep 1000\n(.*\n)*sleep 1000$/m);
  });

  it('ipc: with its /dev/shm', async () => {
    const first = await waiting({ shmBytes: 1 << 20 });
    await containers.exec(first.id, 'echo shared > /dev/shm/note');
    const shared: SharedNamespaces = { ipc: { containerId: first.id } };
    const { stdout } = await containers.script(
      'readlink /proc/self/ns/ipc; cat /dev/shm/note; echo back > /dev/shm/answer; readlink /proc/self/ns/mnt',
      { shared },
    );
    const [ipc, note, mounts] = stdout.split('\n');
    expect([ipc, note]).toEqual([namespace(first.pid, 'ipc'), 'shared']);
    expect(mounts).not.toBe(namespace(first.pid, 'mnt'));
    expect((await containers.exec(first.id, 'cat /dev/shm/answer')).out).toBe('back');
  });

  it('needs one that runs', async () => {
    const first = containers.spec(['true']);
    await containers.run(first);
    const shared: SharedNamespaces = { pid: { containerId: first.containerId } };
    const start = containers.driver.start(containers.spec(['true'], { shared }));
    await expect(start).rejects.toMatchObject({ code: 'TSD_CONTAINER_NOT_RUNNING' });
  });
});

it('has no /dev/shm where none is wanted', async () => {
  const { stdout } = await containers.script('ls -d /dev/shm 2>&1; grep -c /dev/shm /proc/mounts', { shm: false });
  expect(stdout).toBe('ls: /dev/shm: No such file or directory\n0');
});

describe('propagation of a bind', () => {
  const bind = (source: string, propagation: MountSpec['propagation']): MountSpec => ({
    type: 'bind',
    source,
    target: '/data',
    readOnly: false,
    copyUp: false,
    sizeBytes: null,
    ...(propagation && { propagation }),
  });
  const WAIT = 'while ! grep -q " /data/late " /proc/mounts; do sleep 0.02; done; echo seen';

  it.each(['rslave', 'slave', 'rshared', 'shared'] as const)(
    '%s: later mounts of the host appear inside',
    async (kind) => {
      const directory = containers.hostDirectory('tree');
      const late = containers.hostDirectory('tree/late');
      const spec = containers.spec(['sh', '-c', WAIT], { mounts: [bind(directory, kind)] });
      await containers.driver.start(spec);
      execFileSync('mount', ['-t', 'tmpfs', 'none', late]);
      try {
        expect((await containers.result(spec)).stdout).toBe('seen');
      } finally {
        execFileSync('umount', [late]);
      }
    },
  );

  it.each([
    ['rshared', true],
    ['rslave', false],
    [undefined, false],
  ] as const)('%s: mounts of the container on the host: %s', async (kind, isSeen) => {
    const directory = containers.hostDirectory('tree');
    const late = containers.hostDirectory('tree/late');
    const before = ownMounts();
    const { id } = await waiting({ mounts: [bind(directory, kind)], privileged: true });
    const made = await containers.exec(id, 'mount -t tmpfs none /data/late && touch /data/late/file');
    expect(made.code, made.out).toBe(0);
    expect(existsSync(join(late, 'file'))).toBe(isSeen);
    if (isSeen) execFileSync('umount', [late]);
    expect(ownMounts()).toBe(before);
  });

  it('is refused where the source is on a private mount', async () => {
    const directory = containers.hostDirectory('private');
    execFileSync('mount', ['-t', 'tmpfs', 'none', directory]);
    execFileSync('mount', ['--make-private', directory]);
    try {
      const start = containers.driver.start(containers.spec(['true'], { mounts: [bind(directory, 'rslave')] }));
      const message = `path ${directory} is mounted on ${directory} but it is not a shared or slave mount`;
      await expect(start).rejects.toMatchObject({ code: 'TSD_BIND_SOURCE', message });
    } finally {
      execFileSync('umount', [directory]);
    }
  });
});
