import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCgroupManager } from '../../../src/drivers/exec/native/cgroups/manager.ts';
import { execSpec, NO_LIMITS } from '../../support/exec-specs.ts';
import { until } from '../../support/wait.ts';
import { Containers } from './fixture.ts';

const MIB = 1024 * 1024;

let containers: Containers;
beforeEach(() => {
  containers = new Containers();
});
afterEach(() => containers.dispose());

function group(id: string, controller: string): string {
  const path = containers.cgroups.enter(id);
  path.release();
  return path.paths[controller] ?? '';
}

const read = (path: string): string => readFileSync(path, 'utf8').trim();

describe('limits', () => {
  it('of memory kill what exceeds them, and the kill is reported', async () => {
    const spec = containers.spec(['sh', '-c', 'head -c 64m /dev/zero | (busybox tail -c 64m | wc -c); exit 3'], {
      resources: { ...NO_LIMITS, memoryBytes: 8 * MIB },
    });
    const direct = containers.spec(['busybox', 'tail', '-c', '64m', '/dev/zero'], {
      resources: { ...NO_LIMITS, memoryBytes: 8 * MIB },
    });
    const child = await containers.run(spec);
    expect(child.exit).toMatchObject({ exitCode: 3, oomKilled: true });
    const { exit } = await containers.run(direct);
    expect(exit).toMatchObject({ exitCode: 137, signal: 9, oomKilled: true });
    const again = await containers.script('true', {
      containerId: direct.containerId,
      run: 2,
      resources: direct.resources,
    });
    expect(again.exit).toMatchObject({ exitCode: 0, oomKilled: false });
  });

  it('of processes refuse more processes', async () => {
    const { stderr } = await containers.script('for i in 1 2 3 4 5 6; do sleep 1000 & done', {
      resources: { ...NO_LIMITS, pids: 3 },
    });
    expect(stderr).toContain("can't fork");
  });

  it('are set, changed and removed while the container runs', async () => {
    const spec = containers.spec(['sleep', '1000'], { resources: { ...NO_LIMITS, cpus: 0.5, cpuset: '0' } });
    const { pid } = await containers.driver.start(spec);
    const cgroupOf = (): string => read(`/proc/${pid}/cgroup`);
    if (containers.cgroups.unifiedOnly) return;
    expect(read(join(group(spec.containerId, 'cpu'), 'cpu.cfs_quota_us'))).toBe('50000');
    expect(read(join(group(spec.containerId, 'cpuset'), 'cpuset.cpus'))).toBe('0');
    expect(cgroupOf()).toMatch(new RegExp(`:cpuset:.*${spec.containerId}$`, 'm'));
    expect(cgroupOf()).toMatch(new RegExp(`:memory:.*${spec.containerId}$`, 'm'));

    for (const memoryBytes of [64 * MIB, 256 * MIB, 32 * MIB]) {
      containers.driver.updateResources(spec.containerId, { ...NO_LIMITS, memoryBytes, cpuShares: 512 });
      expect(read(join(group(spec.containerId, 'memory'), 'memory.limit_in_bytes'))).toBe(String(memoryBytes));
      expect(read(join(group(spec.containerId, 'memory'), 'memory.memsw.limit_in_bytes'))).toBe(
        String(2 * memoryBytes),
      );
    }
    expect(read(join(group(spec.containerId, 'cpu'), 'cpu.cfs_quota_us'))).toBe('-1');
    expect(read(join(group(spec.containerId, 'cpu'), 'cpu.shares'))).toBe('512');
    containers.driver.updateResources(spec.containerId, NO_LIMITS);
    expect(Number(read(join(group(spec.containerId, 'memory'), 'memory.limit_in_bytes')))).toBeGreaterThan(2 ** 60);
  });

  it('that the kernel refuses are an error and leave nothing behind', async () => {
    const spec = containers.spec(['true'], { resources: { ...NO_LIMITS, cpuset: '4000' } });
    await expect(containers.driver.start(spec)).rejects.toThrow(/no CPUs 4000/);
    expect(containers.cgroups.list()).toEqual([]);
  });
});

describe('groups', () => {
  const spawned = (text: string) => ['sh', '-c', `${text}; echo ready; sleep 1000`];

  it('hold a container without limits and its exec sessions, in every hierarchy', async () => {
    const spec = containers.spec(['sleep', '1000']);
    const { pid } = await containers.driver.start(spec);
    const own = `/tsdocker-${containers.instance.id}/${spec.containerId}`;
    const foreign = (of: number | string): string[] =>
      read(`/proc/${of}/cgroup`)
        .split('\n')
        .filter((line) => !line.endsWith(own));
    expect(foreign(pid)).toEqual([]);
    const session = await containers.driver.exec(spec.containerId, execSpec(['sleep', '1000']));
    expect(foreign(session.pid)).toEqual([]);
    expect(readlinkSync(`/proc/${session.pid}/ns/cgroup`)).toBe(readlinkSync(`/proc/${pid}/ns/cgroup`));
    expect(readlinkSync(`/proc/${pid}/ns/cgroup`)).not.toBe(readlinkSync('/proc/self/ns/cgroup'));
  });

  it('are the roots of what a container sees, read-only', async () => {
    const script =
      "cat /proc/self/cgroup; ls /sys/fs/cgroup; mkdir /sys/fs/cgroup/x; for d in /sys/fs/cgroup/*/; do mkdir $d/x; done; for f in $(busybox find /sys/fs/cgroup -name pids.max -o -name cgroup.procs); do echo 1 > $f; done; busybox awk '$5 ~ /cgroup/ { print $4, $6 }' /proc/self/mountinfo";
    const { stdout, stderr } = await containers.script(script);
    const lines = stdout.split('\n');
    const seen = lines.filter((line) => /^\d+:/.test(line));
    expect(seen.length).toBe(read('/proc/self/cgroup').split('\n').length);
    expect(seen.filter((line) => !line.endsWith(':/'))).toEqual([]);
    const mounts = lines.filter((line) => line.startsWith('/ '));
    expect(mounts.length).toBeGreaterThan(0);
    expect(mounts.filter((line) => !/^\/ ro,nosuid,nodev,noexec/.test(line))).toEqual([]);
    expect(stderr.split('\n').filter((line) => !line.includes('Read-only file system'))).toEqual([]);
    expect(stderr).toContain('pids.max');
  });

  it('kill every process of a container, also hidden ones', async () => {
    const spec = containers.spec(
      ['sh', '-c', 'trap "" TERM INT HUP; (busybox setsid sleep 1000 &); sleep 1000; true'],
      {
        capabilities: ['KILL'],
      },
    );
    await containers.driver.start(spec);
    const procs = join(group(spec.containerId, 'unified'), 'cgroup.procs');
    await until('all processes to run', () => read(procs).split('\n').length >= 3);
    // The run that was meant has ended: these are the next one's.
    await containers.cgroups.kill(spec.containerId, () => true);
    expect(read(procs).split('\n').length).toBeGreaterThanOrEqual(3);
    await containers.cgroups.kill(spec.containerId);
    expect(read(procs)).toBe('');
    expect((await containers.result(spec)).exit.exitCode).toBe(137);
    await containers.cgroups.remove(spec.containerId);
    expect(existsSync(procs)).toBe(false);
    await containers.cgroups.kill(spec.containerId);
    await containers.cgroups.remove(spec.containerId);
  });

  it('freeze and thaw every process of a container', async () => {
    const spec = containers.spec(['sh', '-c', 'while :; do :; done']);
    const { pid } = await containers.driver.start(spec);
    const ticks = (): number => Number(read(`/proc/${pid}/stat`).split(' ')[13]);
    await containers.driver.pause(spec.containerId);
    const paused = ticks();
    expect(read(join(group(spec.containerId, 'unified'), 'cgroup.freeze'))).toBe('1');
    await containers.driver.unpause(spec.containerId);
    await until('it to go on', () => ticks() > paused + 2);
  });

  it('are removed with all groups below them, whatever their names and depth', async () => {
    const spec = containers.spec(['true']);
    const entry = containers.cgroups.create(spec.containerId, spec.resources, 'all');
    entry.release();
    const groups = Object.values(entry.paths);
    for (const path of groups) {
      mkdirSync(join(path, 'a/b'), { recursive: true });
      // Names are bytes.
      mkdirSync(Buffer.concat([Buffer.from(`${path}/`), Buffer.from([0xff, 0xfe])]));
    }
    // Further down than a path of the kernel's longest reaches.
    for (const path of [entry.paths.unified ?? '', entry.paths.pids ?? entry.paths.unified ?? '']) {
      let fd = openSync(path, 'r');
      for (let depth = 0; depth < 40; depth++) {
        const below = `/proc/self/fd/${fd}/${'deep'.repeat(30)}`;
        mkdirSync(below, { recursive: true });
        const next = openSync(below, 'r');
        closeSync(fd);
        fd = next;
      }
      closeSync(fd);
    }
    await containers.cgroups.remove(spec.containerId);
    expect(groups.filter((path) => existsSync(path))).toEqual([]);
  });

  it('that still have a process are not removed, and the error names the process', async () => {
    const spec = containers.spec(['true']);
    const entry = containers.cgroups.create(spec.containerId, spec.resources, 'all');
    entry.release();
    const child = spawn('sleep', ['1000']);
    try {
      const below = join(entry.paths.pids ?? entry.paths.unified ?? '', 'below');
      mkdirSync(below);
      writeFileSync(join(below, 'cgroup.procs'), `${child.pid}`);
      await expect(containers.cgroups.remove(spec.containerId)).rejects.toThrow(
        new RegExp(`^remove control groups of ${spec.containerId.slice(0, 12)}: process ${child.pid} \\(sleep\\)`),
      );
    } finally {
      child.kill('SIGKILL');
    }
    await containers.cgroups.remove(spec.containerId);
    expect(Object.values(entry.paths).filter((path) => existsSync(path))).toEqual([]);
  });

  it('that a container froze itself do not prevent its removal', async () => {
    const freezer = '/sys/fs/cgroup/freezer';
    if (!existsSync(freezer)) return;
    const script = `cd ${freezer}; mkdir below; sleep 1000 & echo $! > below/tasks; echo FROZEN > below/freezer.state; echo FROZEN > freezer.state`;
    const spec = containers.spec(spawned(script), { privileged: true });
    await containers.driver.start(spec);
    const state = join(group(spec.containerId, 'freezer'), 'freezer.state');
    await until('all to be frozen', () => read(state) === 'FROZEN');
    await containers.driver.kill(spec.containerId);
    expect(containers.driver.running(spec.containerId)).toBeNull();
    await containers.driver.remove(spec.containerId);
    expect(containers.cgroups.list()).toEqual([]);
  });

  it('are separate for each instance', async () => {
    const spec = containers.spec(['sleep', '1000']);
    await containers.driver.start(spec);
    expect(containers.cgroups.list()).toEqual([spec.containerId]);
    expect(createCgroupManager({ ...containers.instance, id: 'ffff00' }).list()).toEqual([]);
  });
});
