/** Resource use as clients of Docker read it. Pure. */
import type { Statistics } from '../../drivers/contract/exec.ts';

/** Counters of one interface, by name. */
export type Interfaces = Readonly<Record<string, Readonly<Record<string, number>>>>;

export interface Sample {
  readonly atMs: number;
  readonly statistics: Statistics;
  /** Of all processors of the host since it started. */
  readonly systemNs: number;
  readonly interfaces: Interfaces;
}

export interface StatsSubject {
  readonly id: string;
  readonly name: string;
  readonly cpus: number;
  readonly hostMemory: number;
}

const NEVER = '0001-01-01T00:00:00Z';
const THROTTLED_BY_NOTHING = { periods: 0, throttled_periods: 0, throttled_time: 0 };
const NO_CPU = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: THROTTLED_BY_NOTHING,
};
const OTHER_IO = {
  io_serviced_recursive: null,
  io_queue_recursive: null,
  io_service_time_recursive: null,
  io_wait_time_recursive: null,
  io_merged_recursive: null,
  io_time_recursive: null,
  sectors_recursive: null,
};

function cpuOf({ statistics, systemNs }: Sample, cpus: number) {
  const { cpu } = statistics;
  return {
    cpu_usage: {
      total_usage: cpu.totalNs,
      usage_in_kernelmode: cpu.systemNs,
      usage_in_usermode: cpu.userNs,
    },
    system_cpu_usage: systemNs,
    online_cpus: cpus,
    throttling_data: {
      periods: cpu.periods,
      throttled_periods: cpu.throttledPeriods,
      throttled_time: cpu.throttledNs,
    },
  };
}

function memoryOf({ memory }: Statistics, hostMemory: number) {
  if (memory.usage === null) return {};
  // A number past what integers of 64 bits take would be no answer for a client.
  const stats = Object.entries(memory.stats).filter(([, value]) => Number.isSafeInteger(value));
  return {
    usage: memory.usage,
    ...(memory.max !== null && { max_usage: memory.max }),
    stats: Object.fromEntries(stats),
    ...(memory.failures !== null && memory.failures > 0 && { failcnt: memory.failures }),
    limit: Math.min(memory.limit ?? hostMemory, hostMemory),
  };
}

/** @param now null for a container that does not run @param before null for the first sample */
export function statsShape({ id, name, cpus, hostMemory }: StatsSubject, now: Sample | null, before: Sample | null) {
  const at = (sample: Sample | null): string => (sample === null ? NEVER : new Date(sample.atMs).toISOString());
  const { statistics = null, interfaces = {} } = now ?? {};
  return {
    name: `/${name}`,
    id,
    read: at(now),
    preread: at(before),
    pids_stats: {
      ...(statistics?.pids != null && { current: statistics.pids }),
      ...(statistics?.pidsLimit != null && { limit: statistics.pidsLimit }),
    },
    blkio_stats: { io_service_bytes_recursive: statistics === null ? null : statistics.io, ...OTHER_IO },
    num_procs: 0,
    storage_stats: {},
    cpu_stats: now === null ? NO_CPU : cpuOf(now, cpus),
    precpu_stats: before === null ? NO_CPU : cpuOf(before, cpus),
    memory_stats: statistics === null ? {} : memoryOf(statistics, hostMemory),
    ...(now !== null && Object.keys(interfaces).length > 0 && { networks: interfaces }),
  };
}

/** Columns of proc_pid_net(5) dev. */
const COLUMNS = ['bytes', 'packets', 'errors', 'dropped'] as const;
const SENT_AT = 8;

/** All interfaces but loopback, of /proc/PID/net/dev. */
export function interfacesOf(text: string): Interfaces {
  const found = text.split('\n').flatMap((line) => {
    const [name = '', counters] = line.split(':');
    if (counters === undefined || name.trim() === 'lo') return [];
    const fields = counters.trim().split(/\s+/).map(Number);
    const of = (from: number, prefix: string) =>
      COLUMNS.map((column, at) => [`${prefix}_${column}`, fields[from + at] ?? 0]);
    return [
      [name.trim(), Object.fromEntries([...of(0, 'rx'), ...of(SENT_AT, 'tx')]) as Record<string, number>] as const,
    ];
  });
  return Object.fromEntries(found);
}

const NS_PER_TICK = 10_000_000;
/** user nice system idle iowait irq softirq of proc_stat(5). */
const COUNTED = 7;

/** Time of all processors since the host started, of /proc/stat. */
export function systemNsOf(text: string): number {
  const [line = ''] = text.split('\n');
  const ticks = line
    .trim()
    .split(/\s+/)
    .slice(1, 1 + COUNTED)
    .map(Number);
  return ticks.reduce((sum, each) => sum + each, 0) * NS_PER_TICK;
}
