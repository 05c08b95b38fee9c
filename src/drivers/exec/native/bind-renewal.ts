/**
 * A file that is bound by itself stays the file it was when another one takes its name, which is how editors and
 * configuration tools write. This puts the new one in its place in a running container.
 */
import { closeSync, fstatSync, readlinkSync, statSync } from 'node:fs';
import { constants as os } from 'node:os';
import { posix } from 'node:path';
import { sysError } from '../../../ffi/call/errno.ts';
import { syscall } from '../../../ffi/call/native.ts';
import { AT_FDCWD, find, lookupCall, OPEN_FLAGS, open } from '../../../ffi/files/lookup.ts';
import {
  AT_EMPTY_PATH,
  cloneMount,
  MOUNT_ATTR,
  MOUNT_ATTR_BYTES,
  MOVE_MOUNT,
  mountAttributes,
  UMOUNT_DETACH,
  UMOUNT_NOFOLLOW,
} from '../../../ffi/storage/mounts.ts';
import type { BoundFile } from '../../contract/exec.ts';
import { FIRST_INHERITED_FD, type PreparedTask } from './prepared-task.ts';
import { CLONE_NEW } from './program/clone-flags.ts';
import type { ContainerEntry } from './program/container-entry.ts';
import { SyscallProgram } from './program/program.ts';

/** Numbers in the shim. */
const MOUNT_NAMESPACE_FD = FIRST_INHERITED_FD;
const TREE_FD = FIRST_INHERITED_FD + 1;

/** A payload that puts a link in the place of a directory of its own must not get what covers these taken away. */
const KERNEL_FILES = /^\/(proc|sys|dev)\//;

const stepOf = ({ source, target }: BoundFile): string => `rebind ${source} to ${target}`;

type Identity = Readonly<Record<'dev' | 'ino', bigint>>;
const same = (a: Identity, b: Identity): boolean => a.dev === b.dev && a.ino === b.ino;

/**
 * Where in the container a file is bound that is not at its source any more: a path without links. Null when it is the
 * same file, and when there is none at the source now.
 * @param root of the container.
 */
export function stalePlace(file: BoundFile, root: number): string | null {
  const step = stepOf(file);
  const source = statSync(file.source, { bigint: true, throwIfNoEntry: false });
  if (source === undefined || !source.isFile()) return null;
  const place = open(step, root, file.target, 'inRoot', OPEN_FLAGS.path);
  try {
    const bound = fstatSync(place, { bigint: true });
    if (same(bound, source)) return null;
    const path = pathOf(place, bound, root, step);
    if (path !== file.target && KERNEL_FILES.test(path)) throw sysError('openat2', os.errno.EXDEV, step);
    return path;
  } finally {
    closeSync(place);
  }
}

/** The kernel says of a mounted file that was removed at its source that it is deleted, behind its path. */
function pathOf(place: number, bound: Identity, root: number, step: string): string {
  const shown = readlinkSync(`/proc/self/fd/${place}`);
  for (const path of [shown, shown.replace(/ \(deleted\)$/, '')]) {
    const fd = find(root, path, 'inRootWithoutLinks', OPEN_FLAGS.path, step);
    if (fd === null) continue;
    try {
      if (same(fstatSync(fd, { bigint: true }), bound)) return path;
    } finally {
      closeSync(fd);
    }
  }
  throw sysError('openat2', os.errno.ENOENT, step);
}

/**
 * Enters the container's mount namespace, puts a new bind of the source at `place` and takes the old one away. The child
 * leaves with 0; whether it is the new file that is seen has to be looked at afterwards.
 */
export function prepareRenewal(file: BoundFile, place: string, { namespaces }: ContainerEntry): PreparedTask {
  const step = stepOf(file);
  const tree = cloneMount(step, file.source);
  try {
    const attributes = mountAttributes(file.readOnly ? MOUNT_ATTR.readOnly : 0);
    syscall(step, 'mount_setattr', tree, '', AT_EMPTY_PATH, attributes, MOUNT_ATTR_BYTES);
    const program = renewal(step, place);
    const encoded = program.encode({ cloneFlags: 0 });
    const inherited = new Map([
      [MOUNT_NAMESPACE_FD, namespaces.mnt],
      [TREE_FD, tree],
    ]);
    return { program, encoded, inherited, cgroupPaths: {}, release: () => closeSync(tree), undo: () => {} };
  } catch (error) {
    closeSync(tree);
    throw error;
  }
}

function renewal(step: string, place: string): SyscallProgram {
  const program = new SyscallProgram();
  program.op(step, 'setns', MOUNT_NAMESPACE_FD, CLONE_NEW.mount);
  const lookUp = (path: string, flags: number) =>
    program.lookUp(step, AT_FDCWD, path, lookupCall('withoutLinks', flags | OPEN_FLAGS.path));
  const attach = (below: number): void => {
    const flags = MOVE_MOUNT.fromEmptyPath | MOVE_MOUNT.toEmptyPath | below;
    program.tryOp(step, 'move_mount', TREE_FD, '', lookUp(place, 0), '', flags);
  };
  // Below the old one, so that there is never none; before Linux 6.5 this fails, and the new one comes after the old went.
  attach(MOVE_MOUNT.beneath);
  program.op(step, 'fchdir', lookUp(posix.dirname(place), OPEN_FLAGS.directory));
  program.op(step, 'umount2', posix.basename(place), UMOUNT_DETACH | UMOUNT_NOFOLLOW);
  attach(0);
  program.op(step, 'exit_group', 0);
  return program;
}
