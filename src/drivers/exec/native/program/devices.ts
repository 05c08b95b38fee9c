/** Device nodes of a container's /dev, and the rules of its device filter. */
import { lstatSync, readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { TsdError } from '../../../../model/errors/errors.ts';
import type { DeviceNode } from '../../../contract/exec.ts';
import type { DevicePolicy, DeviceRule } from '../cgroups/device-filter.ts';

/** include/uapi/linux/stat.h */
const S_IFMT = 0o170000;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

/** Ready for mknod(2). */
export interface DeviceSpec {
  /** Absolute path in the container. */
  readonly path: string;
  /** File type and permissions. */
  readonly mode: number;
  readonly major: number;
  readonly minor: number;
  readonly uid: number;
  readonly gid: number;
}

function worldDevice(name: string, major: number, minor: number): DeviceSpec {
  return { path: `/dev/${name}`, mode: S_IFCHR | 0o666, major, minor, uid: 0, gid: 0 };
}

/** What every container has; Documentation/admin-guide/devices.txt. */
export const DEFAULT_DEVICES: readonly DeviceSpec[] = [
  worldDevice('null', 1, 3),
  worldDevice('zero', 1, 5),
  worldDevice('full', 1, 7),
  worldDevice('random', 1, 8),
  worldDevice('urandom', 1, 9),
  worldDevice('tty', 5, 0),
];

/** Links in every /dev. Nothing may be mounted on or below them. */
export const DEVICE_LINKS = [
  { name: 'fd', target: '/proc/self/fd' },
  { name: 'stdin', target: '/proc/self/fd/0' },
  { name: 'stdout', target: '/proc/self/fd/1' },
  { name: 'stderr', target: '/proc/self/fd/2' },
  { name: 'ptmx', target: 'pts/ptmx' },
] as const;

function characterRule(major: number, minor: number | null): DeviceRule {
  return { type: 'c', major, minor, access: 'rwm' };
}

/**
 * Docker's list without 5:1: any node may be made, these may be opened. A node 5:1 is the console of the host; a container
 * with a terminal has a terminal of its own there.
 */
export const DEFAULT_DEVICE_RULES: readonly DeviceRule[] = [
  { type: 'c', major: null, minor: null, access: 'm' },
  { type: 'b', major: null, minor: null, access: 'm' },
  ...DEFAULT_DEVICES.map(({ major, minor }) => characterRule(major, minor)),
  // ptmx, and the terminals of devpts
  characterRule(5, 2),
  characterRule(136, null),
];

/** The inverse of the kernel's packing, include/linux/kdev_t.h new_decode_dev */
function majorOf(device: number): number {
  return Math.floor(device / 0x100) & 0xfff;
}
function minorOf(device: number): number {
  return (device & 0xff) | (Math.floor(device / 0x1000) & 0xfff00);
}

/** dev_t as mknod(2) takes it, include/linux/kdev_t.h new_encode_dev */
export function packDevice({ major, minor }: DeviceSpec): number {
  return (minor & 0xff) + major * 0x100 + (minor & 0xfff00) * 0x1000;
}

export function isBlockDevice({ mode }: Pick<DeviceSpec, 'mode'>): boolean {
  return (mode & S_IFMT) === S_IFBLK;
}

function isDeviceMode(mode: number): boolean {
  return (mode & S_IFMT) === S_IFCHR || (mode & S_IFMT) === S_IFBLK;
}

function specOf(path: string, stat: Stats): DeviceSpec {
  return { path, mode: stat.mode, major: majorOf(stat.rdev), minor: minorOf(stat.rdev), uid: stat.uid, gid: stat.gid };
}

/** A device of the host as the container gets it. @throws TsdError TSD_CONTAINER_SETUP when it is none. */
export function hostDevice(node: DeviceNode): DeviceSpec {
  const stat = statSync(node.hostPath, { throwIfNoEntry: false });
  if (stat === undefined || !isDeviceMode(stat.mode)) {
    const what = stat === undefined ? 'does not exist' : 'is not a device';
    throw new TsdError('TSD_CONTAINER_SETUP', `device ${node.hostPath} ${what} on this host`, {
      step: `device ${node.containerPath}`,
      hint: 'Load its driver or correct the path; it is tried again by itself.',
    });
  }
  return specOf(node.containerPath, stat);
}

/** Directories of /dev that a container has of its own. */
const OWN_DIRECTORIES = ['pts', 'shm', 'mqueue', 'fd'];

/** All device nodes below the host's /dev, for privileged containers. */
export function allHostDevices(directory = '/dev'): DeviceSpec[] {
  const found: DeviceSpec[] = [];
  const names = new Set(DEFAULT_DEVICES.map(({ path }) => path));
  const visit = (path: string): void => {
    for (const name of readdirSync(path)) {
      const child = join(path, name);
      const stat = lstatSync(child, { throwIfNoEntry: false });
      if (stat === undefined) continue;
      if (stat.isDirectory()) {
        if (path !== directory || !OWN_DIRECTORIES.includes(name)) visit(child);
      } else if (isDeviceMode(stat.mode) && !names.has(child) && !['/dev/console', '/dev/ptmx'].includes(child)) {
        found.push(specOf(child, stat));
      }
    }
  };
  visit(directory);
  return found;
}

/** What the container may do with devices. `devices` and `specs` belong together by index. */
export function devicePolicy(
  privileged: boolean,
  devices: readonly DeviceNode[],
  specs: readonly DeviceSpec[],
): DevicePolicy {
  if (privileged) return 'all';
  if (devices.length === 0) return DEFAULT_DEVICE_RULES;
  const own = specs.map(
    ({ mode, major, minor }, index): DeviceRule => ({
      type: isBlockDevice({ mode }) ? 'b' : 'c',
      major,
      minor,
      access: devices[index]?.permissions ?? 'rwm',
    }),
  );
  return [...DEFAULT_DEVICE_RULES, ...own];
}
