/** What the processes of a container use, from its control groups of either version. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ResourceUsage } from '../../../contract/exec.ts';
import type { Controller } from './hierarchies.ts';

export interface UsageGroups {
  /** The container's group in the unified hierarchy. */
  readonly unified: string;
  /** Its groups in the hierarchies of version 1 that count memory and processes; null where it has none there. */
  readonly v1: { readonly memory: string | null; readonly pids: string | null };
  /**
   * Controllers of the unified hierarchy. A file of another one is not asked for: an open that fails costs several that
   * do not.
   */
  readonly unifiedControllers: ReadonlySet<Controller>;
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The controller is not there, or the group has just been removed.
    return null;
  }
}

function number(path: string): number | null {
  const text = read(path);
  return text === null ? null : Number(text);
}

/** Value of `name 123` in a file of such lines. */
function keyed(text: string | null, name: string): number | null {
  if (text === null) return null;
  const start = text.startsWith(`${name} `) ? 0 : text.indexOf(`\n${name} `) + 1;
  if (start === 0 && !text.startsWith(`${name} `)) return null;
  const end = text.indexOf('\n', start);
  return Number(text.slice(start + name.length + 1, end < 0 ? undefined : end));
}

/** Without file pages that the kernel would drop first, as `docker stats` counts. */
function workingSet(current: number | null, inactive: number | null): number | null {
  return current === null ? null : Math.max(0, current - (inactive ?? 0));
}

/** getconf PAGESIZE of the architectures we run on. */
const PAGE_BYTES = 4096;

/** Resident pages of each process, field 2 of proc_pid_statm(5); shared ones count in each. */
function residentBytes(group: string): number | null {
  const pids = read(join(group, 'cgroup.procs'));
  if (pids === null) return null;
  const pages = pids
    .split('\n')
    .filter((pid) => pid !== '')
    .map((pid) => Number(read(`/proc/${pid}/statm`)?.split(' ')[1] ?? 0));
  return pages.reduce((sum, each) => sum + each, 0) * PAGE_BYTES;
}

function memory({ unified, v1, unifiedControllers }: UsageGroups): number | null {
  if (v1.memory !== null) {
    const stat = read(join(v1.memory, 'memory.stat'));
    return workingSet(number(join(v1.memory, 'memory.usage_in_bytes')), keyed(stat, 'total_inactive_file'));
  }
  if (!unifiedControllers.has('memory')) return residentBytes(unified);
  const counted = workingSet(
    number(join(unified, 'memory.current')),
    keyed(read(join(unified, 'memory.stat')), 'inactive_file'),
  );
  return counted ?? residentBytes(unified);
}

function pids({ unified, v1, unifiedControllers }: UsageGroups): number | null {
  const group = v1.pids ?? (unifiedControllers.has('pids') ? unified : null);
  const counted = group === null ? null : number(join(group, 'pids.current'));
  if (counted !== null) return counted;
  const threads = read(join(unified, 'cgroup.threads'));
  return threads === null ? null : threads.split('\n').length - 1;
}

/** Memory is resident memory of the processes where no memory controller counts the group. */
export function readUsage(groups: UsageGroups): ResourceUsage {
  const micros = keyed(read(join(groups.unified, 'cpu.stat')), 'usage_usec');
  return { cpuSeconds: micros === null ? null : micros / 1e6, memoryBytes: memory(groups), pids: pids(groups) };
}
