/** What sysinfo says of this kernel, tried out on it: a limit that it has can be written, one that it lacks cannot. */
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { findHierarchies, hostSources } from '../../../src/drivers/exec/native/cgroups/hierarchies.ts';
import { LIMITS, type LimitName, readSysinfo } from '../../../src/ffi/host/sysinfo.ts';

const sysinfo = readSysinfo();
const { v1, unified } = findHierarchies(hostSources(sysinfo));
const groups = new Set<string>();
afterAll(() => {
  for (const group of [...groups].reverse()) rmdirSync(group);
});

/** Controller, file of version 1, of version 2, and a value that both take. */
const TRIED: Readonly<Record<LimitName, readonly [string, string, string, string]>> = {
  memory: ['memory', 'memory.limit_in_bytes', 'memory.max', '67108864'],
  memorySwap: ['memory', 'memory.memsw.limit_in_bytes', 'memory.swap.max', '134217728'],
  cpus: ['cpu', 'cpu.cfs_quota_us', 'cpu.max', '50000'],
  cpuShares: ['cpu', 'cpu.shares', 'cpu.weight', '512'],
  cpuset: ['cpuset', 'cpuset.cpus', 'cpuset.cpus', '0'],
  pids: ['pids', 'pids.max', 'pids.max', '20'],
};

function group(parent: string): string {
  const path = join(parent, `tsd-sysinfo-${process.pid}`);
  if (groups.has(path)) return path;
  mkdirSync(path);
  groups.add(path);
  return path;
}

function canBeSet(limit: LimitName): boolean {
  const [controller, old, file, value] = TRIED[limit];
  const hierarchy = v1.find(({ name }) => name.split(',').includes(controller));
  try {
    if (hierarchy === undefined) {
      writeFileSync(join(unified, 'cgroup.subtree_control'), `+${controller}`);
      writeFileSync(join(group(unified), file), value);
    } else {
      writeFileSync(join(group(hierarchy.directory), old), value);
    }
    return true;
  } catch {
    return false;
  }
}

test('limits are those that can be set', () => {
  expect(sysinfo.unread).toEqual([]);
  expect(sysinfo.limits).toEqual(Object.fromEntries(LIMITS.map((limit) => [limit, canBeSet(limit)])));
});
