import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createCgroupManager } from '../../../src/drivers/exec/native/cgroups/manager.ts';
import { NO_LIMITS } from '../../support/exec-specs.ts';
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
  it('of memory kill what exceeds them, and that is known', async () => {
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

  it('of processes refuse further ones', async () => {
    const { stderr } = await containers.script('for i in 1 2 3 4 5 6; do sleep 1000 & done', {
      resources: { ...NO_LIMITS, pids: 3 },
    });
    expect(stderr).toContain("can't fork");
  });

  it('are set, changed and taken away while the container runs', async () => {
    const spec = containers.spec(['sleep', '1000'], { resources: { ...NO_LIMITS, cpus: 0.5, cpuset: '0' } });
    const { pid } = await containers.driver.start(spec);
    const cgroupOf = (): string => read(`/proc/${pid}/cgroup`);
    if (containers.cgroups.unifiedOnly) return;
    expect(read(join(group(spec.containerId, 'cpu'), 'cpu.cfs_quota_us'))).toBe('50000');
    expect(read(join(group(spec.containerId, 'cpuset'), 'cpuset.cpus'))).toBe('0');
    expect(cgroupOf()).toMatch(new RegExp(`:cpuset:.*${spec.containerId}$`, 'm'));
    expect(cgroupOf()).not.toMatch(new RegExp(`:memory:.*${spec.containerId}$`, 'm'));

    for (const memoryBytes of [64 * MIB, 256 * MIB, 32 * MIB]) {
      containers.driver.updateResources(spec.containerId, { ...NO_LIMITS, memoryBytes, cpuShares: 512 });
      expect(read(join(group(spec.containerId, 'memory'), 'memory.limit_in_bytes'))).toBe(String(memoryBytes));
      expect(read(join(group(spec.containerId, 'memory'), 'memory.memsw.limit_in_bytes'))).toBe(
        String(2 * memoryBytes),
      );
    }
    expect(cgroupOf()).toMatch(new RegExp(`:memory:.*${spec.containerId}$`, 'm'));
    expect(read(join(group(spec.containerId, 'cpu'), 'cpu.cfs_quota_us'))).toBe('-1');
    expect(read(join(group(spec.containerId, 'cpu'), 'cpu.shares'))).toBe('512');
    containers.driver.updateResources(spec.containerId, NO_LIMITS);
    expect(Number(read(join(group(spec.containerId, 'memory'), 'memory.limit_in_bytes')))).toBeGreaterThan(2 ** 60);
  });

  it('that the kernel refuses are an error, and nothing is left', async () => {
    const spec = containers.spec(['true'], { resources: { ...NO_LIMITS, cpuset: '4000' } });
    await expect(containers.driver.start(spec)).rejects.toThrow(/no CPUs 4000/);
    expect(containers.cgroups.list()).toEqual([]);
  });
});

describe('groups', () => {
  it('hold a container without limits in the unified hierarchy only', async () => {
    const spec = containers.spec(['sleep', '1000']);
    const { pid } = await containers.driver.start(spec);
    const lines = read(`/proc/${pid}/cgroup`)
      .split('\n')
      .filter((line) => line.includes(spec.containerId));
    expect(lines).toEqual([expect.stringMatching(/^0::/)]);
  });

  it('kill all that is in a container, however it hides', async () => {
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

  it('stop and continue all that is in a container', async () => {
    const spec = containers.spec(['sh', '-c', 'while :; do :; done']);
    const { pid } = await containers.driver.start(spec);
    const ticks = (): number => Number(read(`/proc/${pid}/stat`).split(' ')[13]);
    await containers.driver.pause(spec.containerId);
    const paused = ticks();
    expect(read(join(group(spec.containerId, 'unified'), 'cgroup.freeze'))).toBe('1');
    await containers.driver.unpause(spec.containerId);
    await until('it to go on', () => ticks() > paused + 2);
  });

  it('are removed with what their processes made in them', async () => {
    const spec = containers.spec(['true'], { resources: { ...NO_LIMITS, pids: 10 } });
    const entry = containers.cgroups.create(spec.containerId, spec.resources, 'all');
    entry.release();
    mkdirSync(join(entry.paths.unified ?? '', 'a/b'), { recursive: true });
    await containers.cgroups.remove(spec.containerId);
    expect(Object.values(entry.paths).filter((path) => existsSync(path))).toEqual([]);
  });

  it('are those of one instance', async () => {
    const spec = containers.spec(['sleep', '1000']);
    await containers.driver.start(spec);
    expect(containers.cgroups.list()).toEqual([spec.containerId]);
    expect(createCgroupManager({ ...containers.instance, id: 'ffff00' }).list()).toEqual([]);
  });
});
