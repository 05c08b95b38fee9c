/** What a program does about control groups: enters them, makes them all that can be seen, shows them. */
import { constants } from 'node:fs';
import { AT_FDCWD } from '../../../../ffi/files/lookup.ts';
import { AT_RECURSIVE, MOUNT_ATTR, MOUNT_ATTR_BYTES, MS, mountAttributes } from '../../../../ffi/storage/mounts.ts';
import type { CgroupView, ShownGroup } from '../cgroups/container-groups.ts';
import { CLONE_NEW } from './clone-flags.ts';
import type { SyscallProgram } from './program.ts';

const VIEW = 'sys/fs/cgroup';
const PRIVATE_FILESYSTEM = MS.noSuid | MS.noDev | MS.noExec;

/** @param taskFiles `tasks` files of cgroup v1, by path on the host. The process is in its group of the unified hierarchy. */
export function addCgroupEntries(program: SyscallProgram, taskFiles: readonly string[]): void {
  for (const path of taskFiles) {
    const step = `enter ${path}`;
    const file = program.opToSlot(step, 'openat', AT_FDCWD, path, constants.O_WRONLY);
    program.op(step, 'write', file, '0', 1);
    program.closeSlot(step, file);
  }
}

/** Add it after the process has entered its groups: they become the roots of all hierarchies, in any mount of them. */
export function addCgroupNamespace(program: SyscallProgram): void {
  program.op('enter a cgroup namespace', 'unshare', CLONE_NEW.cgroup);
}

function addGroups(program: SyscallProgram, groups: readonly ShownGroup[], privileged: boolean): void {
  const step = 'mount /sys/fs/cgroup';
  program.op(step, 'mount', 'tmpfs', VIEW, 'tmpfs', PRIVATE_FILESYSTEM, 'mode=755,size=64k');
  for (const { name, source, also } of groups) {
    const target = `${VIEW}/${name}`;
    program.op(`create /${target}`, 'mkdirat', AT_FDCWD, target, 0o755);
    program.op(`mount /${target}`, 'mount', source, target, 0, MS.bind, 0);
    for (const other of also) program.tryOp(`link /${VIEW}/${other}`, 'symlinkat', name, AT_FDCWD, `${VIEW}/${other}`);
  }
  const attributes = MOUNT_ATTR.noSuid | MOUNT_ATTR.noDev | MOUNT_ATTR.noExec | (privileged ? 0 : MOUNT_ATTR.readOnly);
  const args = [AT_FDCWD, VIEW, AT_RECURSIVE, mountAttributes(attributes), MOUNT_ATTR_BYTES] as const;
  program.op('protect /sys/fs/cgroup', 'mount_setattr', ...args);
}

/** /sys is mounted in the container's root, the working directory; the host's files are still there. */
export function addCgroupView(program: SyscallProgram, view: CgroupView, privileged: boolean): void {
  if (view !== 'unified') {
    addGroups(program, view, privileged);
    return;
  }
  const flags = PRIVATE_FILESYSTEM | (privileged ? 0 : MS.readOnly);
  program.op('mount /sys/fs/cgroup', 'mount', 'cgroup2', VIEW, 'cgroup2', flags, 0);
}
