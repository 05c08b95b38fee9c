/** What this host has to give, as preflight measures plans against it. */
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { totalmem } from 'node:os';
import type { LimitName } from '../ffi/host/sysinfo.ts';
import { goArchitecture } from '../model/platform.ts';

export interface HostFacts {
  readonly memoryBytes: number;
  /** What a new program could have without swapping: MemAvailable of proc_meminfo(5). */
  readonly availableBytes: number;
  /** Numbers of the CPUs that are online. */
  readonly cpus: ReadonlySet<number>;
  /** Most processes and threads on the host. */
  readonly pids: number;
  /** Free bytes where the root directory is. */
  readonly diskFreeBytes: number;
  readonly architecture: string;
  /** Limits that this kernel lacks and that a container is not started without. */
  readonly lacking: ReadonlySet<LimitName>;
  /** True when programs of another architecture run here, by binfmt_misc. */
  runs(architecture: string): boolean;
}

/** `0-2,5` as numbers: the form of /sys/devices/system/cpu/online and of `cpuset`. */
export function cpuNumbers(list: string): Set<number> {
  const numbers = new Set<number>();
  for (const part of list.trim().split(',').filter(Boolean)) {
    const [first = 0, last = first] = part.split('-').map(Number);
    for (let cpu = first; cpu <= last; cpu++) numbers.add(cpu);
  }
  return numbers;
}

/** Architectures that a kernel of the first one runs by itself. */
const COMPATIBLE: Readonly<Record<string, readonly string[]>> = { amd64: ['386'], arm64: ['arm'] };
/** Names of qemu's entries in binfmt_misc where they are not Go's. */
const QEMU_NAMES: Readonly<Record<string, string>> = { amd64: 'x86_64', arm64: 'aarch64', '386': 'i386' };

function runs(architecture: string, own: string): boolean {
  if (architecture === own || COMPATIBLE[own]?.includes(architecture)) return true;
  return existsSync(`/proc/sys/fs/binfmt_misc/qemu-${QEMU_NAMES[architecture] ?? architecture}`);
}

/** @param root the supervisor's root directory */
export function readHostFacts(root: string, lacking: HostFacts['lacking']): HostFacts {
  const { bavail, bsize } = statfsSync(root);
  const available = /^MemAvailable:\s*(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  const own = goArchitecture(process.arch);
  return {
    memoryBytes: totalmem(),
    availableBytes: available === undefined ? totalmem() : Number(available) * 1024,
    cpus: cpuNumbers(readFileSync('/sys/devices/system/cpu/online', 'utf8')),
    pids: Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8')),
    diskFreeBytes: bavail * bsize,
    architecture: own,
    lacking,
    runs: (architecture) => runs(architecture, own),
  };
}
