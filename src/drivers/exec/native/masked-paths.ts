/** Parts of /proc and /sys that tell of the host or change it: hidden or read-only unless privileged. */
import { statSync } from 'node:fs';
import { MS } from '../../../ffi/mounts.ts';
import type { SyscallProgram } from './program.ts';

/** The default of today's Docker (moby oci/defaults.go). */
const MASKED = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/sys/devices/virtual/powercap',
  '/sys/firmware',
];
const READ_ONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

type Kind = 'file' | 'directory' | 'absent';

function kindOf(path: string): Kind {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return 'absent';
  return stat.isDirectory() ? 'directory' : 'file';
}

let present:
  | { readonly masked: readonly (readonly [string, Kind])[]; readonly readOnly: readonly string[] }
  | undefined;

/** The container's /proc and /sys come from the same kernel, so what this host lacks the container lacks; read once. */
function presentPaths(): NonNullable<typeof present> {
  present ??= {
    masked: MASKED.map((path) => [path, kindOf(path)] as const).filter(([, kind]) => kind !== 'absent'),
    readOnly: READ_ONLY.filter((path) => kindOf(path) !== 'absent'),
  };
  return present;
}

/** Working directory is the container's root; /proc, /sys and /dev are the container's own and not reached by links. */
export function addMaskedPaths(program: SyscallProgram): void {
  const { masked, readOnly } = presentPaths();
  for (const [path, kind] of masked) {
    const step = `mask ${path}`;
    const target = path.slice(1);
    if (kind === 'directory') program.op(step, 'mount', 'tmpfs', target, 'tmpfs', MS.readOnly, 'size=0k,nr_inodes=1');
    else program.op(step, 'mount', 'dev/null', target, 0, MS.bind, 0);
  }
  for (const path of readOnly) {
    const target = path.slice(1);
    program.op(`bind ${path}`, 'mount', target, target, 0, MS.bind | MS.recursive, 0);
    const flags = MS.bind | MS.remount | MS.readOnly | MS.noSuid | MS.noDev | MS.noExec;
    program.op(`make ${path} read-only`, 'mount', 0, target, 0, flags, 0);
  }
}
