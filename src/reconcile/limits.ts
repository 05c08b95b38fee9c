/** What the host cannot give a container. Pure. */
import type { ErrorCode } from '../model/errors/error-catalogue.ts';
import type { ContainerSpec } from '../model/kinds/container.ts';
import { cpuNumbers, type HostFacts } from './host-facts.ts';
import { askedLimits, lackingText } from './kernel-limits.ts';

/** Something in the way, by the field that asks for it. */
export interface Impossible {
  readonly code: ErrorCode;
  /** Dotted path in the manifest; empty for the container as a whole. */
  readonly field: string;
  readonly message: string;
}

const MIB = 1024 ** 2;

/**
 * Left free for what a container writes first (records, hosts files, a start of a log) and for the first pages of its
 * program; with less than that a start only makes room scarcer for what runs.
 */
const LEAST_DISK_BYTES = 8 * MIB;
const LEAST_MEMORY_BYTES = 16 * MIB;

const mib = (bytes: number): string => `${Math.floor(bytes / MIB)}MiB`;

const tooLittle = (what: string, bytes: number, least: number): string =>
  `only ${mib(bytes)} ${what}, and a start needs ${mib(least)}`;

/** The first limit that this host cannot keep, or null. */
export function impossibleLimit({ resources }: ContainerSpec, host: HostFacts): Impossible | null {
  const { memoryBytes, cpus, cpuset, pids } = resources;
  const refuse = (member: string, message: string): Impossible => ({
    code: 'TSD_LIMIT_IMPOSSIBLE',
    field: `resources.${member}`,
    message,
  });
  const missing = askedLimits(resources).find((limit) => host.lacking.has(limit));
  if (missing !== undefined) return { ...refuse(missing, lackingText(missing)), code: 'TSD_UNSUPPORTED_HOST' };
  if (memoryBytes !== null && memoryBytes > host.memoryBytes) {
    return refuse('memory', `memory of ${mib(memoryBytes)} is more than this host has (${mib(host.memoryBytes)})`);
  }
  if (cpus !== null && cpus > host.cpus.size) {
    return refuse('cpus', `${cpus} cpus are more than this host has (${host.cpus.size})`);
  }
  const absent = [...cpuNumbers(cpuset ?? '')].filter((cpu) => !host.cpus.has(cpu));
  if (absent.length > 0) return refuse('cpuset', `cpuset ${cpuset}: this host has no CPU ${absent.join(', ')}`);
  return pids !== null && pids > host.pids
    ? refuse('pids', `pids ${pids} is more than this host allows in all (${host.pids})`)
    : null;
}

/** Returns why there is no room for a container to create or recreate, or null. */
export function missingHeadroom(host: HostFacts): Impossible | null {
  if (host.diskFreeBytes < LEAST_DISK_BYTES) {
    return {
      code: 'TSD_DISK_FULL',
      field: '',
      message: tooLittle('are free on the disk', host.diskFreeBytes, LEAST_DISK_BYTES),
    };
  }
  return host.availableBytes < LEAST_MEMORY_BYTES
    ? {
        code: 'TSD_MEMORY_FULL',
        field: '',
        message: tooLittle('of memory are available', host.availableBytes, LEAST_MEMORY_BYTES),
      }
    : null;
}
