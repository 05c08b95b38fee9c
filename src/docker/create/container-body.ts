/** The body of POST /containers/create, as far as it means something here. */
import { z } from 'zod';
import { DockerError } from '../wire/docker-error.ts';
import {
  decode,
  flag,
  listOf,
  names,
  struct,
  text,
  textMap,
  texts,
  whole,
  wholeOrNull,
  words,
  wordsOrNull,
} from './go-json.ts';

const healthcheck = struct({
  Test: words(),
  Interval: whole(),
  Timeout: whole(),
  StartPeriod: whole(),
  StartInterval: whole(),
  Retries: whole(),
});

/** Members of Docker's Resources, which a body of creation has among others and one of update alone. */
export const RESOURCES = {
  CpuShares: whole(),
  Memory: whole(),
  NanoCpus: whole(),
  CgroupParent: text(),
  BlkioWeight: whole(),
  BlkioWeightDevice: z.array(z.unknown()).default([]),
  BlkioDeviceReadBps: z.array(z.unknown()).default([]),
  BlkioDeviceWriteBps: z.array(z.unknown()).default([]),
  BlkioDeviceReadIOps: z.array(z.unknown()).default([]),
  BlkioDeviceWriteIOps: z.array(z.unknown()).default([]),
  CpuPeriod: whole(),
  CpuQuota: whole(),
  CpuRealtimePeriod: whole(),
  CpuRealtimeRuntime: whole(),
  CpusetCpus: text(),
  CpusetMems: text(),
  Devices: listOf(struct({ PathOnHost: text(), PathInContainer: text(), CgroupPermissions: text() })),
  DeviceCgroupRules: texts(),
  DeviceRequests: listOf(
    struct({ Driver: text(), Count: whole(), DeviceIDs: texts(), Capabilities: z.array(texts()).default([]) }),
  ),
  MemoryReservation: whole(),
  MemorySwap: whole(),
  MemorySwappiness: wholeOrNull(),
  OomKillDisable: flag(),
  PidsLimit: wholeOrNull(),
  Ulimits: listOf(struct({ Name: text(), Soft: whole(), Hard: whole() })),
};
const resources = z.object(RESOURCES);
export type ResourcesBody = z.output<typeof resources>;

export const restartPolicy = struct({ Name: text(), MaximumRetryCount: whole() });
export type RestartPolicyBody = z.output<typeof restartPolicy>;

const mount = struct({
  Type: text(),
  Source: text(),
  Target: text(),
  ReadOnly: flag(),
  Consistency: text(),
  BindOptions: struct({
    Propagation: text(),
    NonRecursive: flag(),
    CreateMountpoint: flag(),
    ReadOnlyNonRecursive: flag(),
    ReadOnlyForceRecursive: flag(),
  }).optional(),
  VolumeOptions: struct({
    NoCopy: flag(),
    Labels: textMap(),
    Subpath: text(),
    DriverConfig: struct({ Name: text(), Options: textMap() }).optional(),
  }).optional(),
  ImageOptions: struct({}).optional(),
  TmpfsOptions: struct({ SizeBytes: whole(), Mode: whole(), Options: z.array(texts()).default([]) }).optional(),
});
export type MountBody = z.output<typeof mount>;

const endpoint = struct({
  IPAMConfig: struct({ IPv4Address: text(), IPv6Address: text(), LinkLocalIPs: texts() }).optional(),
  Links: texts(),
  Aliases: texts(),
  MacAddress: text(),
  GwPriority: whole(),
  DriverOpts: textMap(),
});
export type EndpointBody = z.output<typeof endpoint>;
/** Nothing in particular. */
export const ANY_ENDPOINT: EndpointBody = endpoint.parse({});

const portBinding = struct({ HostIp: text(), HostPort: text() });

const hostConfig = struct({
  ...RESOURCES,
  Binds: texts(),
  LogConfig: struct({ Type: text(), Config: textMap() }).prefault({}),
  NetworkMode: text(),
  PortBindings: z.record(z.string(), listOf(portBinding).nullable()).default({}),
  RestartPolicy: restartPolicy.prefault({}),
  AutoRemove: flag(),
  VolumeDriver: text(),
  VolumesFrom: texts(),
  CapAdd: words(),
  CapDrop: words(),
  CgroupnsMode: text(),
  Dns: texts(),
  DnsOptions: texts(),
  DnsSearch: texts(),
  ExtraHosts: texts(),
  GroupAdd: texts(),
  IpcMode: text(),
  Links: texts(),
  OomScoreAdj: whole(),
  PidMode: text(),
  Privileged: flag(),
  PublishAllPorts: flag(),
  ReadonlyRootfs: flag(),
  SecurityOpt: texts(),
  StorageOpt: textMap(),
  Tmpfs: textMap(),
  UTSMode: text(),
  UsernsMode: text(),
  ShmSize: whole(),
  Sysctls: textMap(),
  Runtime: text(),
  Isolation: text(),
  Mounts: listOf(mount),
  MaskedPaths: wordsOrNull(),
  ReadonlyPaths: wordsOrNull(),
  Init: flag(),
  Annotations: textMap(),
});

const config = struct({
  Hostname: text(),
  Domainname: text(),
  User: text(),
  ExposedPorts: names(),
  Tty: flag(),
  OpenStdin: flag(),
  StdinOnce: flag(),
  Env: texts(),
  Cmd: words(),
  Healthcheck: healthcheck.optional(),
  Image: text(),
  Volumes: names(),
  WorkingDir: text(),
  Entrypoint: wordsOrNull(),
  MacAddress: text(),
  Labels: textMap(),
  StopSignal: text(),
  StopTimeout: wholeOrNull(),
  Shell: words(),
  HostConfig: hostConfig.prefault({}),
  NetworkingConfig: struct({ EndpointsConfig: z.record(z.string(), endpoint.nullable()).default({}) }).prefault({}),
});

export type ContainerBody = z.output<typeof config>;
export type HostConfigBody = ContainerBody['HostConfig'];

const isEmpty = (body: unknown): boolean =>
  body === null || (typeof body === 'object' && !Array.isArray(body) && Object.keys(body).length === 0);

/** @throws DockerError 400 */
export function containerBody(body: unknown): ContainerBody {
  if (body === undefined) throw new DockerError(400, 'invalid JSON: got EOF while reading request body');
  if (isEmpty(body)) throw new DockerError(400, 'config cannot be empty in order to create a container');
  return decode(config, body);
}

const connection = struct({ Container: text(), EndpointConfig: endpoint.optional() });
const disconnection = struct({ Container: text(), Force: flag() });

/** What joins a container to a network. @throws DockerError 400 */
export function connectionBody(body: unknown): { readonly container: string; readonly settings: EndpointBody | null } {
  const { Container, EndpointConfig } = decode(connection, body ?? {});
  return { container: named(Container), settings: EndpointConfig ?? null };
}

/** What takes a container off a network. @throws DockerError 400 */
export function disconnectionBody(body: unknown): { readonly container: string; readonly force: boolean } {
  const { Container, Force } = decode(disconnection, body ?? {});
  return { container: named(Container), force: Force };
}

function named(container: string): string {
  if (container === '') throw new DockerError(400, 'invalid name or ID supplied: ""');
  return container;
}

/** HostConfig of a body that was read before; what is not understood is as nothing. */
export function hostConfigBody(written: unknown): HostConfigBody {
  return hostConfig.safeParse(written).data ?? hostConfig.parse({});
}
