/** HostConfig of an inspection: what was asked for, and the defaults of the rest. Pure. */
import type { JsonValue } from '../../model/json.ts';
import { type JsonObject, memberOf, objectAt } from './json-object.ts';

const SHM_BYTES = 64 * 1024 * 1024;

/** Paths that a container that is not privileged cannot read. */
const MASKED_PATHS = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];

const READONLY_PATHS = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Every member that is always there, with its value where nothing was asked for. */
const DEFAULTS: JsonObject = {
  Binds: null,
  ContainerIDFile: '',
  LogConfig: {},
  NetworkMode: 'bridge',
  PortBindings: {},
  RestartPolicy: {},
  AutoRemove: false,
  VolumeDriver: '',
  VolumesFrom: null,
  ConsoleSize: [0, 0],
  CapAdd: null,
  CapDrop: null,
  CgroupnsMode: 'private',
  Dns: null,
  DnsOptions: null,
  DnsSearch: null,
  ExtraHosts: null,
  GroupAdd: null,
  IpcMode: 'private',
  Cgroup: '',
  Links: null,
  OomScoreAdj: 0,
  PidMode: '',
  Privileged: false,
  PublishAllPorts: false,
  ReadonlyRootfs: false,
  SecurityOpt: null,
  UTSMode: '',
  UsernsMode: '',
  ShmSize: SHM_BYTES,
  Runtime: 'runc',
  Isolation: '',
  CpuShares: 0,
  Memory: 0,
  NanoCpus: 0,
  CgroupParent: '',
  BlkioWeight: 0,
  BlkioWeightDevice: null,
  BlkioDeviceReadBps: null,
  BlkioDeviceWriteBps: null,
  BlkioDeviceReadIOps: null,
  BlkioDeviceWriteIOps: null,
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuRealtimePeriod: 0,
  CpuRealtimeRuntime: 0,
  CpusetCpus: '',
  CpusetMems: '',
  Devices: null,
  DeviceCgroupRules: null,
  DeviceRequests: null,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  OomKillDisable: false,
  PidsLimit: null,
  Ulimits: null,
  CpuCount: 0,
  CpuPercent: 0,
  IOMaximumIOps: 0,
  IOMaximumBandwidth: 0,
  MaskedPaths: null,
  ReadonlyPaths: null,
};

/** Members that are left out where they were not asked for. */
const OPTIONAL = ['Annotations', 'Init', 'KernelMemoryTCP', 'Mounts', 'StorageOpt', 'Sysctls', 'Tmpfs'];

export const HOST_CONFIG_NAMES: readonly string[] = [...Object.keys(DEFAULTS), ...OPTIONAL];

/** An empty text or 0 asks for the default of these. */
const NEVER_EMPTY = ['NetworkMode', 'CgroupnsMode', 'IpcMode', 'ShmSize', 'Runtime'];

const listOf = (value: JsonValue | undefined): readonly JsonValue[] => (Array.isArray(value) ? value : []);

/** Members that Go always writes. */
function completed(value: JsonValue | undefined, defaults: JsonObject): JsonValue {
  if (!Array.isArray(value)) return value ?? null;
  return value.map((item) => {
    const given = Object.entries(memberOf(item)).filter(([, member]) => member !== null);
    return { ...defaults, ...Object.fromEntries(given) };
  });
}

function portBindings(given: JsonObject): JsonObject {
  const all = Object.entries(objectAt(given, 'PortBindings'));
  return Object.fromEntries(all.map(([port, bindings]) => [port, completed(bindings, { HostIp: '', HostPort: '' })]));
}

const numberOf = (value: JsonValue | undefined): number => (typeof value === 'number' ? value : 0);

/** Swap and memory together are twice the memory where nothing else was asked for. */
function memorySwap(given: JsonObject): number {
  const [memory, swap] = [numberOf(given.Memory), numberOf(given.MemorySwap)];
  return swap === 0 ? memory * 2 : swap;
}

function restartPolicy(given: JsonObject): JsonObject {
  const { Name, MaximumRetryCount } = objectAt(given, 'RestartPolicy');
  return { Name: Name || 'no', MaximumRetryCount: numberOf(MaximumRetryCount) };
}

function logConfig(given: JsonObject): JsonObject {
  const asked = objectAt(given, 'LogConfig');
  return { Type: asked.Type || 'json-file', Config: objectAt(asked, 'Config') };
}

const isAsked = (value: JsonValue | undefined): value is JsonValue => value !== undefined && value !== null;

/** What cannot be read off a request: how its network is called, and the ids of containers whose namespaces it shares. */
export interface HostConfigFacts {
  readonly networkMode: string;
  /** By member: `PidMode`, `IpcMode`. */
  readonly shared?: Readonly<Record<string, string>>;
}

export function hostConfigJson(given: JsonObject, facts: HostConfigFacts): JsonObject {
  const known = Object.entries(DEFAULTS).map(([name, standard]) => {
    const value = given[name];
    const isDefault = !isAsked(value) || (NEVER_EMPTY.includes(name) && (value === '' || value === 0));
    return [name, isDefault ? standard : value];
  });
  const optional = OPTIONAL.flatMap((name) => {
    const value = given[name];
    return isAsked(value) ? [[name, value] as const] : [];
  });
  const isPrivileged = given.Privileged === true;
  const paths = (name: string, standard: readonly string[]): JsonValue =>
    isAsked(given[name]) ? listOf(given[name]) : isPrivileged ? null : standard;
  return {
    ...(Object.fromEntries(known) as JsonObject),
    ...Object.fromEntries(optional),
    NetworkMode: facts.networkMode,
    ...facts.shared,
    LogConfig: logConfig(given),
    PortBindings: portBindings(given),
    RestartPolicy: restartPolicy(given),
    MemorySwap: memorySwap(given),
    // The client sends -1 for what it does not ask for.
    MemorySwappiness: given.MemorySwappiness === -1 ? null : (given.MemorySwappiness ?? null),
    PidsLimit: numberOf(given.PidsLimit) > 0 ? numberOf(given.PidsLimit) : null,
    Devices: completed(given.Devices, { PathOnHost: '', PathInContainer: '', CgroupPermissions: '' }),
    Ulimits: completed(given.Ulimits, { Name: '', Hard: 0, Soft: 0 }),
    DeviceRequests: completed(given.DeviceRequests, {
      Driver: '',
      Count: 0,
      DeviceIDs: null,
      Capabilities: null,
      Options: null,
    }),
    MaskedPaths: paths('MaskedPaths', MASKED_PATHS),
    ReadonlyPaths: paths('ReadonlyPaths', READONLY_PATHS),
  };
}
