/** Limits as the files that hold them, for both versions of control groups. Pure. */
import type { ResourceLimits } from '../../../contract/exec.ts';
import type { Controller } from './hierarchies.ts';

/** Write `value` into `file` of the container's group for `controller`. */
export interface LimitWrite {
  readonly controller: Controller;
  readonly file: string;
  readonly value: string;
  /** The file may be missing although the controller is there (no swap accounting) and the limit is not set explicitly. */
  readonly optional?: boolean;
}

/** Length of the period that CPU quotas refer to, as Docker and the kernel have it. */
export const CPU_PERIOD_US = 100_000;
const DEFAULT_SHARES = 1024;
const DEFAULT_WEIGHT = 100;

/** Memory and swap together, -1 for unlimited: twice the memory unless something else was asked for. */
function memoryAndSwap(limits: ResourceLimits): number {
  if (limits.memoryBytes === null) return -1;
  return limits.memorySwapBytes ?? limits.memoryBytes * 2;
}

/** What the limits need. */
export function neededControllers(limits: ResourceLimits): readonly Controller[] {
  const needed: Controller[] = [];
  if (limits.memoryBytes !== null) needed.push('memory');
  if (limits.cpus !== null || limits.cpuShares !== null) needed.push('cpu');
  if (limits.cpuset !== null) needed.push('cpuset');
  if (limits.pids !== null) needed.push('pids');
  return needed;
}

/** cgroup v1. Memory before memory+swap: the order for lowering both, see {@link raisingMemory}. */
export function v1Writes(limits: ResourceLimits, inheritedCpus: string): readonly LimitWrite[] {
  return [
    { controller: 'memory', file: 'memory.limit_in_bytes', value: String(limits.memoryBytes ?? -1) },
    {
      controller: 'memory',
      file: 'memory.memsw.limit_in_bytes',
      value: String(memoryAndSwap(limits)),
      optional: limits.memorySwapBytes === null,
    },
    {
      controller: 'cpu',
      file: 'cpu.cfs_quota_us',
      value: String(limits.cpus === null ? -1 : Math.round(limits.cpus * CPU_PERIOD_US)),
    },
    { controller: 'cpu', file: 'cpu.shares', value: String(limits.cpuShares ?? DEFAULT_SHARES) },
    { controller: 'cpuset', file: 'cpuset.cpus', value: limits.cpuset ?? inheritedCpus },
    { controller: 'pids', file: 'pids.max', value: String(limits.pids ?? 'max') },
  ];
}

/** The range of shares, 2 to 262144, on the range of weights, 1 to 10000: the conversion of the OCI runtimes. */
function weightOfShares(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9999) / 262_142);
}

/** cgroup v2, Documentation/admin-guide/cgroup-v2.rst */
export function v2Writes(limits: ResourceLimits): readonly LimitWrite[] {
  const both = memoryAndSwap(limits);
  const swap = both === -1 || limits.memoryBytes === null ? 'max' : String(both - limits.memoryBytes);
  const quota = limits.cpus === null ? 'max' : String(Math.round(limits.cpus * CPU_PERIOD_US));
  const weight = limits.cpuShares === null ? DEFAULT_WEIGHT : weightOfShares(limits.cpuShares);
  return [
    { controller: 'memory', file: 'memory.max', value: String(limits.memoryBytes ?? 'max') },
    {
      controller: 'memory',
      file: 'memory.swap.max',
      value: swap,
      optional: limits.memorySwapBytes === null,
    },
    { controller: 'cpu', file: 'cpu.max', value: `${quota} ${CPU_PERIOD_US}` },
    { controller: 'cpu', file: 'cpu.weight', value: String(weight) },
    // A group without CPUs of its own has those of its parent.
    { controller: 'cpuset', file: 'cpuset.cpus', value: limits.cpuset ?? '\n' },
    { controller: 'pids', file: 'pids.max', value: String(limits.pids ?? 'max') },
  ];
}

/** v1 refuses a memory limit above the present memory+swap limit: when that one rises it has to be written first. */
export function raisingMemory(writes: readonly LimitWrite[], presentMemoryAndSwap: number): readonly LimitWrite[] {
  const [memory, both, ...rest] = writes as [LimitWrite, LimitWrite, ...LimitWrite[]];
  const wanted = Number(both.value);
  return wanted === -1 || wanted > presentMemoryAndSwap ? [both, memory, ...rest] : writes;
}
