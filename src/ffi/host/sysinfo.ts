/**
 * What this kernel can do for containers, read once at the start: drivers, `info`, doctor, validation and the API ask this
 * alone. The answers are a function of what the files say (after pkg/sysinfo of Docker).
 */
import { join } from 'node:path';
import { type CgroupMount, cgroupMounts, unifiedPlace } from './cgroup-mounts.ts';
import { type HostFiles, KERNEL_FILES } from './host-files.ts';

/** Limits by their names below `resources` of a manifest. @internal */
export const LIMITS = ['memory', 'memorySwap', 'cpus', 'cpuShares', 'cpuset', 'pids'] as const;
export type LimitName = (typeof LIMITS)[number];

/** Null: it could not be looked at, see `unread`. */
type Ability = boolean | null;

export interface Forwarding {
  readonly ipv4: Ability;
  readonly ipv6: Ability;
}

export interface Sysinfo {
  /** 1 where any controller is in a hierarchy of version 1; null where none is mounted. */
  readonly cgroupVersion: 1 | 2 | null;
  /** The unified hierarchy is mounted: beside those of version 1, or alone. */
  readonly unified: boolean;
  readonly cgroupMounts: readonly CgroupMount[];
  readonly limits: Readonly<Record<LimitName, Ability>>;
  readonly appArmor: Ability;
  /** What could not be read, with the reason. */
  readonly unread: readonly string[];
  /** As it is now: a setting, which the supervisor and others switch while it runs. */
  forwarding(): Forwarding;
}

const MOUNTINFO = '/proc/self/mountinfo';
const IPV4_FORWARDING = '/proc/sys/net/ipv4/ip_forward';
const IPV6_FORWARDING = '/proc/sys/net/ipv6/conf/all/forwarding';
const APPARMOR = '/sys/module/apparmor/parameters/enabled';
/** There with every kernel that can swap (CONFIG_SWAP). */
const SWAPS = '/proc/swaps';

/** The message for each part that could not be read. */
type OnUnread = (message: string) => void;

function asked<T>(read: () => T, onUnread: OnUnread): T | null {
  try {
    return read();
  } catch (thrown) {
    onUnread((thrown as Error).message);
    return null;
  }
}

const isSet = (files: HostFiles, path: string, value: string): boolean => files.text(path)?.trim() === value;

/** Of the network namespace that this thread is in. */
export function readForwarding(files: HostFiles = KERNEL_FILES): Forwarding {
  return {
    ipv4: asked(
      () => isSet(files, IPV4_FORWARDING, '1'),
      () => {},
    ),
    ipv6: asked(
      () => isSet(files, IPV6_FORWARDING, '1'),
      () => {},
    ),
  };
}

/** Limits of a hierarchy of version 1: the files of its root, but for pids, whose root has none. */
function v1Limits(files: HostFiles, mounts: readonly CgroupMount[]): (limit: LimitName) => boolean {
  const names = new Map<string, readonly string[]>();
  const has = (controller: string, ...wanted: readonly string[]): boolean => {
    const mount = mounts.find(({ type, options }) => type === 'cgroup' && options.includes(controller));
    if (mount === undefined) return false;
    const found = names.get(controller) ?? files.names(mount.path) ?? [];
    names.set(controller, found);
    return wanted.every((name) => found.includes(name));
  };
  const limits: Readonly<Record<LimitName, () => boolean>> = {
    memory: () => has('memory', 'memory.limit_in_bytes', 'memory.soft_limit_in_bytes'),
    memorySwap: () => has('memory', 'memory.memsw.limit_in_bytes'),
    cpus: () => has('cpu', 'cpu.cfs_quota_us'),
    cpuShares: () => has('cpu', 'cpu.shares'),
    cpuset: () => has('cpuset', 'cpuset.cpus'),
    pids: () => has('pids'),
  };
  return (limit) => limits[limit]();
}

const V2_CONTROLLER: Readonly<Record<LimitName, string>> = {
  memory: 'memory',
  memorySwap: 'memory',
  cpus: 'cpu',
  cpuShares: 'cpu',
  cpuset: 'cpuset',
  pids: 'pids',
};

function v2Limits(files: HostFiles, directory: string): (limit: LimitName) => boolean {
  const controllers = () => files.text(join(directory, 'cgroup.controllers'))?.trim().split(' ') ?? [];
  return (limit) => {
    if (!controllers().includes(V2_CONTROLLER[limit])) return false;
    return limit !== 'memorySwap' || limitsSwap(files, directory);
  };
}

/** The root has no limits of its own; a group below it that has those of memory shows whether swap is among them. */
function limitsSwap(files: HostFiles, directory: string): boolean {
  const below = (files.names(directory) ?? []).map((name) => join(directory, name));
  for (const group of [directory, ...below]) {
    const names = files.names(group) ?? [];
    if (names.includes('memory.max')) return names.includes('memory.swap.max');
  }
  return files.text(SWAPS) !== null;
}

/** Each limit of version 1 where its controller is, of the unified hierarchy otherwise. */
function limitsOf(files: HostFiles, mounts: readonly CgroupMount[], onUnread: OnUnread): Sysinfo['limits'] {
  const place = asked(() => unifiedPlace(mounts, files.text('/proc/self/cgroup') ?? '', files.isDelegated), onUnread);
  const v1 = v1Limits(files, mounts);
  const v2 = place === null ? () => false : v2Limits(files, place.directory);
  const inV1 = (limit: LimitName) =>
    mounts.some(({ type, options }) => type === 'cgroup' && options.includes(V2_CONTROLLER[limit]));
  const entries = LIMITS.map((limit) => [limit, asked(() => (inV1(limit) ? v1(limit) : v2(limit)), onUnread)]);
  return Object.fromEntries(entries) as Sysinfo['limits'];
}

/** @param files tests give recorded ones */
export function readSysinfo(files: HostFiles = KERNEL_FILES): Sysinfo {
  const unread = new Set<string>();
  const onUnread: OnUnread = (message) => unread.add(message);
  const mounts = asked(() => cgroupMounts(files.text(MOUNTINFO) ?? ''), onUnread) ?? [];
  const unified = mounts.some(({ type }) => type === 'cgroup2');
  const limits = limitsOf(files, mounts, onUnread);
  return {
    cgroupVersion: mounts.some(({ type }) => type === 'cgroup') ? 1 : unified ? 2 : null,
    unified,
    cgroupMounts: mounts,
    limits,
    appArmor: asked(() => isSet(files, APPARMOR, 'Y'), onUnread),
    unread: [...unread],
    forwarding: () => readForwarding(files),
  };
}
