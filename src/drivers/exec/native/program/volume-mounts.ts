/** The mounts that a container's specification asks for, devices outside /dev among them. */
import { realpathSync, statSync } from 'node:fs';
import { AT_FDCWD, lookupCall, OPEN_FLAGS } from '../../../../ffi/files/lookup.ts';
import {
  AT_EMPTY_PATH,
  AT_RECURSIVE,
  MOUNT_ATTR,
  MOUNT_ATTR_BYTES,
  MOVE_MOUNT,
  MS,
  mountAttributes,
  OPEN_TREE,
} from '../../../../ffi/storage/mounts.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import { missingBindHint } from '../../../../model/host-files.ts';
import type { MountSpec } from '../../../contract/exec.ts';
import { type ContainerTree, containerPath, type MountTarget } from '../container-tree.ts';
import { DEVICE_LINKS, type DeviceSpec, packDevice } from './devices.ts';
import type { SlotRef, SyscallProgram } from './program.ts';
import { PROPAGATION_FLAGS, requirePropagating } from './propagation.ts';

const S_IFREG = 0o100000;

/** Files of /proc that show a container its own numbers (lxcfs); elsewhere in /proc a mount would fool its readers. */
const PROC_TARGETS = ['cpuinfo', 'diskstats', 'loadavg', 'meminfo', 'stat', 'swaps', 'uptime'].map(
  (name) => `/proc/${name}`,
);

type Kind = 'directory' | 'file';

interface Source {
  readonly path: string;
  readonly kind: Kind;
}

/** A device with a path outside /dev. */
export interface PlacedDevice {
  readonly device: DeviceSpec;
  readonly hostPath: string;
}

function bindSource(mount: MountSpec): Source {
  const step = bindStep(mount);
  try {
    const path = realpathSync.native(mount.source);
    return { path, kind: statSync(path).isDirectory() ? 'directory' : 'file' };
  } catch (thrown) {
    const { code, errno } = thrown as NodeJS.ErrnoException;
    if (errno === undefined) throw thrown;
    const what = code === 'ENOENT' ? `${mount.source} does not exist` : `${mount.source}: ${code}`;
    const hint = code === 'ENOENT' ? missingBindHint(mount.source) : undefined;
    // It was there when the start was planned: who shares the directory it is in may put it back.
    throw new TsdError('TSD_BIND_SOURCE', what, { step, class: 'unavailable', errno: -errno, hint });
  }
}

/** @param path without links. */
function refuseTarget(path: string, asWritten: string): void {
  const isLink = DEVICE_LINKS.some(({ name }) => path === `/dev/${name}` || path.startsWith(`/dev/${name}/`));
  const isInProc = path === '/proc' || (path.startsWith('/proc/') && !PROC_TARGETS.includes(path));
  if (path !== '/' && !isLink && !isInProc) return;
  throw new TsdError('TSD_CONTAINER_SETUP', `nothing can be mounted on ${asWritten} (${path} in the container)`, {
    step: `mount ${asWritten}`,
    class: 'invalid',
    hint: 'Choose another target.',
  });
}

/** The target was looked up already; a link that is there now was put there by somebody who shares the volume. */
const PLAIN = {
  directory: lookupCall('inRootWithoutLinks', OPEN_FLAGS.path | OPEN_FLAGS.directory),
  file: lookupCall('inRootWithoutLinks', OPEN_FLAGS.path),
} as const satisfies Record<Kind, unknown>;
const DIRECTORY_BELOW = lookupCall('beneathWithoutLinks', OPEN_FLAGS.path | OPEN_FLAGS.directory);

function openPlain(program: SyscallProgram, step: string, rootFd: number, path: string, kind: Kind): SlotRef {
  return program.lookUp(step, rootFd, path, PLAIN[kind]);
}

/** One name at a time, each below the directory that was opened before it: no name and no link can lead anywhere else. */
function addCreation(program: SyscallProgram, step: string, rootFd: number, target: MountTarget, kind: Kind): void {
  if (target.createdIn === null) return;
  const { mountPoint, names } = target.createdIn;
  let parent = openPlain(program, step, rootFd, mountPoint, 'directory');
  names.forEach((name, index) => {
    const isLast = index === names.length - 1;
    if (isLast && kind === 'file') program.tryOp(step, 'mknodat', parent, name, S_IFREG | 0o755, 0);
    else program.tryOp(step, 'mkdirat', parent, name, 0o755);
    if (isLast) return;
    const made = program.lookUp(step, parent, name, DIRECTORY_BELOW);
    program.closeSlot(step, parent);
    parent = made;
  });
  program.closeSlot(step, parent);
}

const bindStep = ({ source, target }: MountSpec): string => `bind ${source} to ${target}`;

function openSource(program: SyscallProgram, step: string, path: string): SlotRef {
  const flags = OPEN_TREE.clone | OPEN_TREE.recursive | OPEN_TREE.closeOnExec;
  return program.opToSlot(step, 'open_tree', AT_FDCWD, path, flags);
}

/** The sources of the binds that a container asks for, looked up before the container's root is attached. */
export interface BindSources {
  readonly found: ReadonlyMap<MountSpec, Source>;
  /** Trees of those that propagate, and of those that are the root of the host. */
  readonly opened: ReadonlyMap<MountSpec, SlotRef>;
}

/**
 * Makes all mounts private. Runs before the container's root is attached: the attached root covers the host's, and a tree
 * that is taken of the host's root from then on has the container's root on top.
 *
 * @throws TsdError TSD_BIND_SOURCE for a source that is missing.
 */
export function openBindSources(program: SyscallProgram, mounts: readonly MountSpec[]): BindSources {
  const binds = mounts.filter(({ type }) => type !== 'tmpfs').map((mount) => ({ mount, source: bindSource(mount) }));
  const opened = new Map<MountSpec, SlotRef>();
  const open = (mount: MountSpec, { path }: Source): void => {
    opened.set(mount, openSource(program, bindStep(mount), path));
  };
  // A copy of a mount propagates as it does; all that is copied afterwards is private.
  for (const { mount, source } of binds) {
    if (mount.propagation === undefined) continue;
    requirePropagating(source.path, mount.propagation, bindStep(mount));
    open(mount, source);
  }
  program.op('make mounts private', 'mount', 0, '/', 0, MS.recursive | MS.private, 0);
  for (const { mount, source } of binds) if (source.path === '/' && !opened.has(mount)) open(mount, source);
  return { found: new Map(binds.map(({ mount, source }) => [mount, source])), opened };
}

function addAttributes(program: SyscallProgram, step: string, tree: SlotRef, mount: MountSpec): void {
  const set = mount.readOnly ? MOUNT_ATTR.readOnly : 0;
  const change = (flags: number, attributes: Buffer): void =>
    program.op(step, 'mount_setattr', tree, '', AT_EMPTY_PATH | flags, attributes, MOUNT_ATTR_BYTES);
  if (mount.propagation === undefined) {
    change(AT_RECURSIVE, mountAttributes(set));
    return;
  }
  const { type, recursive } = PROPAGATION_FLAGS[mount.propagation];
  change(AT_RECURSIVE, mountAttributes(set, recursive ? type : 0));
  if (!recursive) change(0, mountAttributes(0, type));
}

function addBind(
  program: SyscallProgram,
  rootFd: number,
  mount: MountSpec,
  target: MountTarget,
  source: Source,
  opened: SlotRef | undefined,
): void {
  const step = bindStep(mount);
  addCreation(program, step, rootFd, target, source.kind);
  const tree = opened ?? openSource(program, step, source.path);
  addAttributes(program, step, tree, mount);
  const place = openPlain(program, step, rootFd, target.path, source.kind);
  program.op(step, 'move_mount', tree, '', place, '', MOVE_MOUNT.fromEmptyPath | MOVE_MOUNT.toEmptyPath);
  program.closeSlot(step, place);
  program.closeSlot(step, tree);
}

/** Options as Docker's --tmpfs. */
function addTmpfs(program: SyscallProgram, rootFd: number, mount: MountSpec, target: MountTarget): void {
  const step = `mount tmpfs on ${mount.target}`;
  addCreation(program, step, rootFd, target, 'directory');
  const place = openPlain(program, step, rootFd, target.path, 'directory');
  const size = mount.sizeBytes === null ? '' : `,size=${mount.sizeBytes}`;
  const { mode = 0o1777, owner, exec = false } = mount.tmpfs ?? {};
  const flags = MS.noSuid | MS.noDev | (exec ? 0 : MS.noExec) | (mount.readOnly ? MS.readOnly : 0);
  const owned = owner === undefined ? '' : `,uid=${owner.uid},gid=${owner.gid}`;
  program.op(step, 'fchdir', place);
  program.op(step, 'mount', 'tmpfs', '.', 'tmpfs', flags, `mode=${mode.toString(8)}${owned}${size}`);
  program.op(step, 'fchdir', rootFd);
  program.closeSlot(step, place);
}

/** Under this name a node is made in the container's /dev, for as long as it takes to have a mount of it. */
const NODE = '.tsdocker-device';

/** A node of the container's own, as a mount: not the host's inode, and nothing that stays in a layer or volume. */
function addDevice(
  program: SyscallProgram,
  rootFd: number,
  dev: SlotRef,
  device: DeviceSpec,
  target: MountTarget,
): void {
  const step = `device ${device.path}`;
  addCreation(program, step, rootFd, target, 'file');
  program.op(step, 'mknodat', dev, NODE, device.mode, packDevice(device));
  program.op(step, 'fchownat', dev, NODE, device.uid, device.gid, 0);
  const tree = program.opToSlot(step, 'open_tree', dev, NODE, OPEN_TREE.clone | OPEN_TREE.closeOnExec);
  const place = openPlain(program, step, rootFd, target.path, 'file');
  program.op(step, 'move_mount', tree, '', place, '', MOVE_MOUNT.fromEmptyPath | MOVE_MOUNT.toEmptyPath);
  program.op(step, 'unlinkat', dev, NODE, 0);
  program.closeSlot(step, place);
  program.closeSlot(step, tree);
}

/**
 * Mounts in the order of their targets, so that a mount below another one lands in it. Mount points that are missing are
 * created now, in the root or the volume they lie in.
 *
 * @param programRootFd the root mount's number in the program, whose working directory it is.
 */
export function addVolumeMounts(
  program: SyscallProgram,
  programRootFd: number,
  tree: ContainerTree,
  mounts: readonly MountSpec[],
  sources: BindSources,
  devices: readonly PlacedDevice[],
): void {
  const find = (path: string, kind: Kind): MountTarget => {
    return tree.amongNeighbours(() => {
      const target = tree.target(path, kind);
      refuseTarget(target.path, path);
      return target;
    });
  };
  const addMount = (path: string, mount: MountSpec): void => {
    const source = sources.found.get(mount);
    if (source === undefined) {
      const target = find(path, 'directory');
      addTmpfs(program, programRootFd, { ...mount, target: path }, target);
      tree.addNewMount(target.path);
      return;
    }
    const target = find(path, source.kind);
    addBind(program, programRootFd, mount, target, source, sources.opened.get(mount));
    tree.addHostMount(target.path, source.path);
  };
  // Taken before a volume may cover it.
  const dev =
    devices.length === 0 ? null : openPlain(program, 'open /dev of the container', programRootFd, '/dev', 'directory');
  const all = [
    ...mounts.map((mount) => {
      const path = containerPath(mount.target, `mount ${mount.target}`);
      return { path, add: () => addMount(path, mount) };
    }),
    ...(dev === null ? [] : devices).map(({ device, hostPath }) => ({
      path: device.path,
      add: () => {
        const target = find(device.path, 'file');
        addDevice(program, programRootFd, dev as SlotRef, device, target);
        tree.addHostMount(target.path, hostPath);
      },
    })),
  ];
  for (const { add } of all.sort((a, b) => (a.path < b.path ? -1 : 1))) add();
  if (dev !== null) program.closeSlot('close /dev', dev);
}
