/** Parts of /proc and /sys that tell of the host or change it: hidden or read-only unless privileged. */
import { statSync } from 'node:fs';
import { MS } from '../../../../ffi/storage/mounts.ts';
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

/**
 * The container's /proc and /sys come from the same kernel, so what this host lacks the container lacks. Looked at for
 * every container: a module that is loaded later brings its paths with it.
 */
function isDirectory(path: string): boolean | null {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? null;
}

/** Working directory is the container's root; /proc, /sys and /dev are the container's own and not reached by links. */
export function addMaskedPaths(program: SyscallProgram): void {
  for (const path of MASKED) {
    const directory = isDirectory(path);
    if (directory === null) continue;
    const step = `mask ${path}`;
    const target = path.slice(1);
    if (directory) program.op(step, 'mount', 'tmpfs', target, 'tmpfs', MS.readOnly, 'size=0k,nr_inodes=1');
    else program.op(step, 'mount', 'dev/null', target, 0, MS.bind, 0);
  }
  for (const path of READ_ONLY) {
    if (isDirectory(path) === null) continue;
    const target = path.slice(1);
    program.op(`bind ${path}`, 'mount', target, target, 0, MS.bind | MS.recursive, 0);
    const flags = MS.bind | MS.remount | MS.readOnly | MS.noSuid | MS.noDev | MS.noExec;
    program.op(`make ${path} read-only`, 'mount', 0, target, 0, flags, 0);
  }
}
