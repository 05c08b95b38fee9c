/** What every container finds mounted: /proc, /dev and what is in it, /sys. */
import { AT_FDCWD, lookupCall, OPEN_FLAGS } from '../../../../ffi/files/lookup.ts';
import { AT_EMPTY_PATH, MOUNT_ATTR_BYTES, MOVE_MOUNT, MS, mountAttributes } from '../../../../ffi/storage/mounts.ts';
import { addConsole, addTerminals } from '../console.ts';
import { DEFAULT_DEVICES, DEVICE_LINKS, type DeviceSpec, packDevice } from './devices.ts';
import type { SlotRef, SyscallProgram } from './program.ts';

const PRIVATE_FILESYSTEM = MS.noSuid | MS.noDev | MS.noExec;

const PLAIN_DIRECTORY = lookupCall('inRootWithoutLinks', OPEN_FLAGS.path | OPEN_FLAGS.directory);

/** An image that has a link there could have us mount, and later mask, somewhere else. */
function addMountPoint(program: SyscallProgram, name: string): void {
  program.tryOp(`create /${name}`, 'mkdirat', AT_FDCWD, name, 0o755);
  const step = `check that /${name} is a directory of the image`;
  program.closeSlot(step, program.lookUp(step, AT_FDCWD, name, PLAIN_DIRECTORY));
}

function addDeviceNode(program: SyscallProgram, device: DeviceSpec): void {
  const step = `device ${device.path}`;
  const target = device.path.slice(1);
  const parents = target.split('/').slice(1, -1);
  parents.forEach((_, index) => {
    program.tryOp(step, 'mkdirat', AT_FDCWD, ['dev', ...parents.slice(0, index + 1)].join('/'), 0o755);
  });
  // A device that is given twice, or that is one of the default ones, replaces the earlier one.
  program.tryOp(step, 'unlinkat', AT_FDCWD, target, 0);
  program.op(step, 'mknodat', AT_FDCWD, target, device.mode, packDevice(device));
  if (device.uid !== 0 || device.gid !== 0) {
    program.op(step, 'fchownat', AT_FDCWD, target, device.uid, device.gid, 0);
  }
}

function addMountOfOthers(program: SyscallProgram, step: string, tree: SlotRef, target: string): void {
  program.op(step, 'mount_setattr', tree, '', AT_EMPTY_PATH, mountAttributes(0), MOUNT_ATTR_BYTES);
  program.op(step, 'move_mount', tree, '', AT_FDCWD, target, MOVE_MOUNT.fromEmptyPath);
  program.closeSlot(step, tree);
}

function addShm(program: SyscallProgram, shm: SystemMounts['shm']): void {
  const step = 'mount /dev/shm';
  if (shm === null) return;
  program.op('create /dev/shm', 'mkdirat', AT_FDCWD, 'dev/shm', 0o755);
  if (shm.kind === 'own') {
    const options = `mode=1777,size=${shm.bytes ?? '65536k'}`;
    program.op(step, 'mount', 'shm', 'dev/shm', 'tmpfs', PRIVATE_FILESYSTEM, options);
    return;
  }
  addMountOfOthers(program, step, shm, 'dev/shm');
}

function addDev(program: SyscallProgram, { devices, hasTerminal, shm }: SystemMounts): void {
  addMountPoint(program, 'dev');
  program.op('mount /dev', 'mount', 'tmpfs', 'dev', 'tmpfs', MS.noSuid | MS.strictAtime, 'mode=755,size=65536k');
  for (const name of ['pts', 'mqueue']) program.op(`create /dev/${name}`, 'mkdirat', AT_FDCWD, `dev/${name}`, 0o755);
  addTerminals(program, hasTerminal);
  addShm(program, shm);
  program.op('mount /dev/mqueue', 'mount', 'mqueue', 'dev/mqueue', 'mqueue', PRIVATE_FILESYSTEM, 0);
  for (const device of DEFAULT_DEVICES) {
    program.op(`device ${device.path}`, 'mknodat', AT_FDCWD, device.path.slice(1), device.mode, packDevice(device));
  }
  for (const device of devices) addDeviceNode(program, device);
  for (const { name, target } of DEVICE_LINKS) {
    program.op(`link /dev/${name}`, 'symlinkat', target, AT_FDCWD, `dev/${name}`);
  }
  if (hasTerminal) addConsole(program);
}

export interface SystemMounts {
  readonly privileged: boolean;
  /** Besides the default ones. */
  readonly devices: readonly DeviceSpec[];
  /** The payload has a terminal, see console.ts. */
  readonly hasTerminal: boolean;
  /** /dev/shm: one of its own, where null bytes are 64 MiB, that of others, or none. */
  readonly shm: { readonly kind: 'own'; readonly bytes: number | null } | SlotRef | null;
  /** /proc of others; null and absent: of the pid namespace that the program runs in. */
  readonly proc?: SlotRef | null;
}

/** Working directory is the container's root, the host's files are still there, umask is 0. */
export function addSystemMounts(program: SyscallProgram, mounts: SystemMounts): void {
  addMountPoint(program, 'proc');
  if (mounts.proc) addMountOfOthers(program, 'mount /proc', mounts.proc, 'proc');
  else program.op('mount /proc', 'mount', 'proc', 'proc', 'proc', PRIVATE_FILESYSTEM, 0);
  addDev(program, mounts);
  addMountPoint(program, 'sys');
  const access = mounts.privileged ? 0 : MS.readOnly;
  program.op('mount /sys', 'mount', 'sysfs', 'sys', 'sysfs', PRIVATE_FILESYSTEM | access, 0);
}
