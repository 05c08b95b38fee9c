/** What the control groups of a container have counted, in the detail that clients of Docker read. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BlockIo, Statistics } from '../../../contract/exec.ts';
import type { Controller } from './hierarchies.ts';

export interface StatisticsGroups {
  readonly unified: string;
  /** Of version 1; null where the controller is not there, or the container has no group of it. */
  readonly v1: (controller: Controller) => string | null;
  readonly unifiedControllers: ReadonlySet<Controller>;
}

const NS_PER_US = 1_000;

function read(directory: string | null, file: string): string | null {
  if (directory === null) return null;
  try {
    return readFileSync(join(directory, file), 'utf8');
  } catch {
    // The controller is not there, or the group has just been removed.
    return null;
  }
}

/** Null for `max`, and for what is not there. */
function number(directory: string | null, file: string): number | null {
  const text = read(directory, file)?.trim();
  return text === undefined || !/^\d+$/.test(text) ? null : Number(text);
}

/** Lines of `name 123`. */
function table(text: string | null): Record<string, number> {
  const lines = (text ?? '').split('\n').map((line) => line.split(' '));
  return Object.fromEntries(
    lines.flatMap(([name = '', value]) => (value === undefined ? [] : [[name, Number(value)]])),
  );
}

function cpu(unified: string): Statistics['cpu'] {
  const stat = table(read(unified, 'cpu.stat'));
  const ns = (name: string): number => (stat[name] ?? 0) * NS_PER_US;
  return {
    totalNs: ns('usage_usec'),
    userNs: ns('user_usec'),
    systemNs: ns('system_usec'),
    periods: stat.nr_periods ?? 0,
    throttledPeriods: stat.nr_throttled ?? 0,
    throttledNs: ns('throttled_usec'),
  };
}

function memory({ unified, v1, unifiedControllers }: StatisticsGroups): Statistics['memory'] {
  const old = v1('memory');
  if (old !== null) {
    const stats = table(read(old, 'memory.stat'));
    const limit = stats.hierarchical_memory_limit ?? null;
    return {
      version: 1,
      usage: number(old, 'memory.usage_in_bytes'),
      max: number(old, 'memory.max_usage_in_bytes'),
      limit,
      failures: number(old, 'memory.failcnt'),
      stats,
    };
  }
  const group = unifiedControllers.has('memory') ? unified : null;
  return {
    version: 2,
    usage: number(group, 'memory.current'),
    max: null,
    limit: number(group, 'memory.max'),
    failures: table(read(group, 'memory.events')).oom ?? null,
    stats: table(read(group, 'memory.stat')),
  };
}

/** Lines of `8:0 rbytes=1 wbytes=2 …`. */
function ioOfUnified(text: string | null): readonly BlockIo[] {
  return (text ?? '').split('\n').flatMap((line) => {
    const [device = '', ...counters] = line.split(' ');
    const [major, minor] = device.split(':').map(Number);
    if (major === undefined || minor === undefined) return [];
    const counted = table(counters.join('\n').replaceAll('=', ' '));
    return [
      { major, minor, op: 'read', value: counted.rbytes ?? 0 },
      { major, minor, op: 'write', value: counted.wbytes ?? 0 },
    ];
  });
}

export function readStatistics(groups: StatisticsGroups): Statistics {
  const { unified, v1, unifiedControllers } = groups;
  const pidsGroup = v1('pids') ?? (unifiedControllers.has('pids') ? unified : null);
  const unifiedIo = read(unified, 'io.stat');
  const threads = read(unified, 'cgroup.threads');
  return {
    cpu: cpu(unified),
    memory: memory(groups),
    pids: number(pidsGroup, 'pids.current') ?? (threads === null ? null : threads.split('\n').length - 1),
    pidsLimit: number(pidsGroup, 'pids.max'),
    io: ioOfUnified(unifiedIo),
  };
}
