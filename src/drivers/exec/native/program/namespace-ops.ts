/** The namespaces that a run has for itself, and those of others that it enters. */
import { constants, existsSync } from 'node:fs';
import { AT_FDCWD, lookupCall, OPEN_FLAGS } from '../../../../ffi/files/lookup.ts';
import { AT_EMPTY_PATH, OPEN_TREE } from '../../../../ffi/storage/mounts.ts';
import type { SharedNamespaces } from '../../../contract/exec.ts';
import type { JoinedNamespaces } from '../joined-namespaces.ts';
import { FIRST_INHERITED_FD } from '../prepared-task.ts';
import { CLONE_NEW } from './clone-flags.ts';
import type { SlotRef, SyscallProgram } from './program.ts';

/** Numbers in the shim, above those of compile.ts. */
const PID_FD = FIRST_INHERITED_FD + 2;
const IPC_FD = FIRST_INHERITED_FD + 3;
const PID_MOUNTS_FD = FIRST_INHERITED_FD + 4;
const IPC_MOUNTS_FD = FIRST_INHERITED_FD + 5;

const SHM = '/dev/shm';

/** Flags of clone(2) for the first child. Those of a namespace that it enters afterwards are not among them. */
export function cloneFlags({ pid, ipc, uts }: SharedNamespaces): number {
  const own = [
    CLONE_NEW.mount,
    ...(uts === undefined ? [CLONE_NEW.uts] : []),
    ...(ipc === undefined ? [CLONE_NEW.ipc] : []),
    ...(pid === undefined ? [CLONE_NEW.pid] : []),
  ];
  return own.reduce((all, flag) => all | flag, 0);
}

/** What the shim inherits for {@link addNamespaces}, by its number there. */
export function joinedDescriptors({ pid, ipc }: JoinedNamespaces): readonly (readonly [number, number])[] {
  return [
    ...(pid ? [[PID_FD, pid.namespaces.pid] as const, [PID_MOUNTS_FD, pid.namespaces.mnt] as const] : []),
    ...(ipc ? [[IPC_FD, ipc.namespaces.ipc] as const, [IPC_MOUNTS_FD, ipc.namespaces.mnt] as const] : []),
  ];
}

const cloneTree = (program: SyscallProgram, step: string, at: number | SlotRef, path: string): SlotRef => {
  const flags = OPEN_TREE.clone | OPEN_TREE.closeOnExec | (path === '' ? AT_EMPTY_PATH : 0);
  return program.opToSlot(step, 'open_tree', at, path, flags);
};

const DIRECTORY = lookupCall('inRootWithoutLinks', OPEN_FLAGS.path | OPEN_FLAGS.directory);

/** A mount, without those on it, can be copied by who is in its mount namespace; what is in its place there is no link. */
function mountOfOther(program: SyscallProgram, mountsFd: number, path: string): SlotRef {
  const step = `open ${path} of the other container`;
  const flags = constants.O_RDONLY | OPEN_FLAGS.closeOnExec;
  const own = program.opToSlot('open the own mounts', 'openat', AT_FDCWD, '/proc/self/ns/mnt', flags);
  program.op('enter the mounts of the other container', 'setns', mountsFd, CLONE_NEW.mount);
  const directory = program.lookUp(step, AT_FDCWD, path, DIRECTORY);
  const tree = cloneTree(program, step, directory, '');
  program.op('return to the own mounts', 'setns', own, CLONE_NEW.mount);
  program.closeSlot(step, directory);
  program.closeSlot(step, own);
  return tree;
}

/** Mounts that belong to namespaces of others; null for one of the container's own. */
export interface MountsOfOthers {
  readonly proc: SlotRef | null;
  readonly shm: SlotRef | null;
}

function shmOfOthers(program: SyscallProgram, { ipc }: SharedNamespaces, joined: JoinedNamespaces): SlotRef | null {
  if (joined.ipc) return mountOfOther(program, IPC_MOUNTS_FD, SHM);
  return ipc === 'host' && existsSync(SHM) ? cloneTree(program, 'open /dev/shm of the host', AT_FDCWD, SHM) : null;
}

/**
 * Add it while the host is still there. Another pid namespace is entered for the last child alone, which others there may
 * trace; only who is in it can mount its /proc.
 */
export function addNamespaces(
  program: SyscallProgram,
  shared: SharedNamespaces,
  joined: JoinedNamespaces,
): MountsOfOthers {
  if (joined.pid) program.op('let the next child be in the pid namespace', 'setns', PID_FD, CLONE_NEW.pid);
  if (joined.ipc) program.op('enter the ipc namespace', 'setns', IPC_FD, CLONE_NEW.ipc);
  const proc = joined.pid ? mountOfOther(program, PID_MOUNTS_FD, '/proc') : null;
  return { proc, shm: shmOfOthers(program, shared, joined) };
}
