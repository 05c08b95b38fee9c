import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ResourceLimits } from '../../../src/drivers/contract/exec.ts';
import { deviceFilterCode } from '../../../src/drivers/exec/native/cgroups/device-filter.ts';
import { type CgroupSources, findHierarchies } from '../../../src/drivers/exec/native/cgroups/hierarchies.ts';
import {
  neededControllers,
  raisingMemory,
  v1Writes,
  v2Writes,
} from '../../../src/drivers/exec/native/cgroups/limits.ts';
import { createCgroupManager } from '../../../src/drivers/exec/native/cgroups/manager.ts';
import { cgroupMounts } from '../../../src/ffi/host/cgroup-mounts.ts';
import { NO_LIMITS } from '../../support/exec-specs.ts';

const ID = '1'.repeat(64);
const ALL: ResourceLimits = {
  memoryBytes: 1000,
  memorySwapBytes: null,
  cpus: 0.5,
  cpuShares: 512,
  cpuset: '0-1',
  pids: 9,
};

const lines = (writes: ReturnType<typeof v2Writes>): string[] => writes.map(({ file, value }) => `${file} ${value}`);

describe('limits', () => {
  it('are these files of cgroup v1', () => {
    expect(lines(v1Writes(ALL, '0-3'))).toMatchInlineSnapshot(`
      [
        "memory.limit_in_bytes 1000",
        "memory.memsw.limit_in_bytes 2000",
        "cpu.cfs_quota_us 50000",
        "cpu.shares 512",
        "cpuset.cpus 0-1",
        "pids.max 9",
      ]
    `);
    expect(lines(v1Writes(NO_LIMITS, '0-3'))).toMatchInlineSnapshot(`
      [
        "memory.limit_in_bytes -1",
        "memory.memsw.limit_in_bytes -1",
        "cpu.cfs_quota_us -1",
        "cpu.shares 1024",
        "cpuset.cpus 0-3",
        "pids.max max",
      ]
    `);
  });

  it('are these files of cgroup v2', () => {
    expect(lines(v2Writes(ALL))).toMatchInlineSnapshot(`
      [
        "memory.max 1000",
        "memory.swap.max 1000",
        "cpu.max 50000 100000",
        "cpu.weight 20",
        "cpuset.cpus 0-1",
        "pids.max 9",
      ]
    `);
    expect(lines(v2Writes(NO_LIMITS))).toMatchInlineSnapshot(`
      [
        "memory.max max",
        "memory.swap.max max",
        "cpu.max max 100000",
        "cpu.weight 100",
        "cpuset.cpus 
      ",
        "pids.max max",
      ]
    `);
    const swap = (memorySwapBytes: number) => lines(v2Writes({ ...ALL, memorySwapBytes }))[1];
    expect([swap(-1), swap(1000), swap(1500)]).toEqual([
      'memory.swap.max max',
      'memory.swap.max 0',
      'memory.swap.max 500',
    ]);
  });

  it('require their controllers', () => {
    expect(neededControllers(NO_LIMITS)).toEqual([]);
    expect(neededControllers(ALL)).toEqual(['memory', 'cpu', 'cpuset', 'pids']);
    expect(neededControllers({ ...NO_LIMITS, cpuShares: 2 })).toEqual(['cpu']);
  });

  it('of memory are written in the order that the kernel accepts', () => {
    const order = (bytes: number | null, present: number) =>
      raisingMemory(v1Writes({ ...NO_LIMITS, memoryBytes: bytes }, ''), present)[0]?.file;
    expect(order(1000, 500)).toBe('memory.memsw.limit_in_bytes');
    expect(order(1000, 5000)).toBe('memory.limit_in_bytes');
    expect(order(null, 5000)).toBe('memory.memsw.limit_in_bytes');
  });

  it('of CPU shares map their extremes to weights', () => {
    const weightOf = (cpuShares: number) =>
      v2Writes({ ...NO_LIMITS, cpuShares }).find(({ file }) => file === 'cpu.weight')?.value;
    expect([2, 1024, 262_144].map(weightOf)).toEqual(['1', '39', '10000']);
  });
});

describe('a device filter', () => {
  it('tests type, access, major and minor of each rule, then denies', () => {
    const code = deviceFilterCode([
      { type: 'c', major: null, minor: null, access: 'm' },
      { type: 'b', major: 7, minor: 3, access: 'rw' },
    ]);
    const text = Array.from({ length: code.length / 8 }, (_, i) => {
      const [op, registers] = [code.readUInt8(i * 8), code.readUInt8(i * 8 + 1)];
      const [offset, immediate] = [code.readInt16LE(i * 8 + 2), code.readInt32LE(i * 8 + 4)];
      const [target, source] = [`r${registers & 15}`, `r${registers >> 4}`];
      const texts: Record<number, string> = {
        97: `${target} = ctx[${offset}]`,
        191: `${target} = ${source}`,
        119: `${target} >>= ${immediate}`,
        87: `${target} &= ${immediate}`,
        183: `${target} = ${immediate}`,
        85: `if ${target} != ${immediate} goto ${i + 1 + offset}`,
        149: 'exit',
      };
      return `${i}: ${texts[op]}`;
    });
    expect(`\n${text.join('\n')}\n`).toMatchInlineSnapshot(`
      "
      0: r2 = ctx[0]
      1: r4 = ctx[4]
      2: r5 = ctx[8]
      3: r3 = r2
      4: r3 >>= 16
      5: r2 &= 65535
      6: if r2 != 2 goto 12
      7: r1 = r3
      8: r1 &= 6
      9: if r1 != 0 goto 12
      10: r0 = 1
      11: exit
      12: if r2 != 1 goto 20
      13: r1 = r3
      14: r1 &= 1
      15: if r1 != 0 goto 20
      16: if r4 != 7 goto 20
      17: if r5 != 3 goto 20
      18: r0 = 1
      19: exit
      20: r0 = 0
      21: exit
      "
    `);
  });
});

describe('hierarchies', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync('/tmp/tsd-test-');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  function v2(own: string, delegated: string, controllers = 'cpuset cpu io memory pids'): CgroupSources {
    const group = join(root, delegated);
    mkdirSync(join(root, own), { recursive: true });
    for (const path of [root, group]) {
      writeFileSync(join(path, 'cgroup.controllers'), `${controllers}\n`);
      for (const file of ['cgroup.subtree_control', 'cgroup.procs']) writeFileSync(join(path, file), '');
    }
    return {
      mounts: cgroupMounts(`30 24 0:26 / ${root} rw,nosuid - cgroup2 cgroup2 rw\n`),
      selfCgroup: `0::/${own}\n`,
      initCgroup: '0::/init.scope\n',
      isDelegated: (path) => path === group && delegated !== '',
    };
  }

  it('of version 2 are used where systemd delegates them', () => {
    const service = 'system.slice/tsdocker.service';
    expect(findHierarchies(v2(`${service}/supervisor`, service))).toMatchObject({
      unified: join(root, service),
      selfInUnified: false,
    });
    expect(findHierarchies(v2(service, service))).toMatchObject({ unified: join(root, service), selfInUnified: true });
    expect(findHierarchies(v2('user.slice/session', ''))).toMatchObject({ unified: root, selfInUnified: false });
  });

  it('of version 1 are used together with the unified one', () => {
    mkdirSync(join(root, 'pids/init'), { recursive: true });
    for (const name of ['memory', 'systemd', 'cpu,cpuacct']) mkdirSync(join(root, name));
    const unified = v2('', '', '');
    const mounted = [
      ['pids', 'rw,pids'],
      ['memory', 'rw,memory'],
      ['cpu,cpuacct', 'rw,cpu,cpuacct'],
      ['systemd', 'rw,xattr,name=systemd'],
      ['again', 'rw,pids'],
    ];
    const mounts = mounted.map(
      ([place, options], at) => `3${at} 24 0:27 / ${root}/${place} rw - cgroup cgroup ${options}\n`,
    );
    const found = findHierarchies({
      ...unified,
      mounts: [...unified.mounts, ...cgroupMounts(mounts.join(''))],
      selfCgroup: '11:name=systemd:/a\n9:rdma:/\n8:pids:/a\n4:memory:/a\n3:cpu,cpuacct:/a\n0::/',
      initCgroup: '11:name=systemd:/init.scope\n9:rdma:/\n8:pids:/init\n4:memory:/not/seen/here\n3:cpu,cpuacct:/\n',
    });
    expect(found.v1).toEqual([
      { name: 'name=systemd', mount: join(root, 'systemd'), directory: join(root, 'systemd') },
      { name: 'pids', mount: join(root, 'pids'), directory: join(root, 'pids/init') },
      { name: 'memory', mount: join(root, 'memory'), directory: join(root, 'memory') },
      { name: 'cpu,cpuacct', mount: join(root, 'cpu,cpuacct'), directory: join(root, 'cpu,cpuacct') },
    ]);
    expect(found.unmounted).toEqual(['rdma']);
    expect(found.unifiedControllers.size).toBe(0);
  });

  it('must include the unified one', () => {
    const sources = { ...v2('', ''), mounts: [] };
    expect(() => findHierarchies(sources)).toThrow('the unified control group hierarchy is not mounted');
  });

  it('of version 2 get controllers for the declared limits, then the limits', () => {
    const sources = v2('tsd.service', 'tsd.service');
    writeFileSync(join(root, 'tsd.service/cgroup.procs'), '4711\n');
    mkdirSync(join(root, 'tsd.service/supervisor'));
    writeFileSync(join(root, 'tsd.service/supervisor/cgroup.procs'), '');
    const group = join(root, 'tsd.service/tsdocker-abcdef');
    const files = ['memory.max', 'memory.swap.max', 'pids.max', 'cpu.max'];
    mkdirSync(join(group, ID), { recursive: true });
    writeFileSync(join(group, 'cgroup.subtree_control'), '');
    for (const file of files) writeFileSync(join(group, ID, file), '');
    const cgroups = createCgroupManager({ id: 'abcdef', root, runDir: root }, sources);
    // Ordinary directories with files in them cannot be removed by rmdir, so an update stands for the creation here.
    cgroups.updateResources(ID, { ...NO_LIMITS, memoryBytes: 4096, pids: 5 });
    const read = (path: string): string => readFileSync(join(root, 'tsd.service', path), 'utf8').trim();
    expect(read('supervisor/cgroup.procs')).toBe('4711');
    expect(read('cgroup.subtree_control')).toContain('+pids');
    expect(files.map((file) => read(`tsdocker-abcdef/${ID}/${file}`))).toMatchInlineSnapshot(`
      [
        "4096",
        "4096",
        "5",
        "max 100000",
      ]
    `);
    expect(cgroups.list()).toEqual([ID]);
    expect(readdirSync(join(group, ID)).sort()).toEqual([...files].sort());
  });

  it('without the controller of a limit refuse it', () => {
    const cgroups = createCgroupManager({ id: 'abcdef', root, runDir: root }, v2('', '', 'cpu'));
    expect(() => cgroups.create('one', { ...NO_LIMITS, pids: 1 }, 'all')).toThrow(
      expect.objectContaining({ code: 'TSD_UNSUPPORTED_HOST', class: 'unsupported' }),
    );
    expect(cgroups.list()).toEqual([]);
  });
});
