/** What a client would ask for to get the container that a manifest declares. Pure. */
import type { ProbeSet } from '../../model/health.ts';
import type { JsonValue } from '../../model/json.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import type { JsonObject } from './json-object.ts';

const NANO = 1_000_000_000;
const NANOS_OF_MS = 1_000_000;

const textsOrNull = (texts: readonly string[] | null | undefined): JsonValue =>
  texts === null || texts === undefined || texts.length === 0 ? null : [...texts];

/** Docker has one check, of a program; other probes have no form there. */
function healthcheck(health: ContainerSpec['health']): JsonValue {
  if (health === 'none') return { Test: ['NONE'] };
  const probes: Partial<ProbeSet> = health ?? {};
  const probe = [probes.check, probes.readiness, probes.liveness, probes.startup].find(
    (one) => one?.check.type === 'exec',
  );
  if (probe?.check.type !== 'exec') return null;
  return {
    Test: ['CMD', ...probe.check.argv],
    Interval: probe.intervalMs * NANOS_OF_MS,
    Timeout: probe.timeoutMs * NANOS_OF_MS,
    StartPeriod: probe.startPeriodMs * NANOS_OF_MS,
    StartInterval: probe.startIntervalMs * NANOS_OF_MS,
    Retries: probe.retries,
  };
}

const setOf = (names: readonly string[]): JsonObject => Object.fromEntries(names.map((name) => [name, {}]));

/** Arguments of the declaration are added to the command of the image, which the record has. */
function commandOf({ command, args, entrypoint }: ContainerSpec, { config }: ContainerRecord): JsonValue {
  if (command !== null) return [...command, ...args];
  return textsOrNull(args.length === 0 || entrypoint !== null ? args : config.Cmd);
}

/** As the record has them, after those of the image, and with references in the place of secrets; the last of a name counts. */
function variablesOf({ config }: ContainerRecord): readonly string[] {
  return [...new Map((config.Env ?? []).map((variable) => [variable.split('=', 1)[0], variable])).values()];
}

const DEFAULT_STOP_MS = 10_000;

function declaredConfig(record: ContainerRecord, spec: ContainerSpec, image: string): JsonObject {
  const anonymous = spec.volumes.filter(({ type, source }) => type === 'volume' && source === null);
  return {
    Hostname: spec.hostname ?? '',
    Domainname: spec.domainname,
    User: spec.user,
    ExposedPorts: setOf(Object.keys(record.config.ExposedPorts ?? {})),
    Tty: spec.tty,
    OpenStdin: spec.stdin,
    Env: textsOrNull(variablesOf(record)),
    Cmd: commandOf(spec, record),
    Healthcheck: healthcheck(spec.health),
    Image: image,
    Volumes: setOf(anonymous.map(({ target }) => target)),
    WorkingDir: spec.workingDir ?? '',
    Entrypoint: textsOrNull(spec.entrypoint),
    Labels: spec.labels,
    // The default stands for that of the image.
    ...(spec.stopSignal !== 'SIGTERM' && { StopSignal: spec.stopSignal }),
    ...(spec.stopTimeoutMs !== DEFAULT_STOP_MS && { StopTimeout: Math.round(spec.stopTimeoutMs / 1000) }),
  };
}

function tmpfsOf(spec: ContainerSpec): JsonObject | null {
  const mounts = spec.volumes.filter(({ type }) => type === 'tmpfs');
  if (mounts.length === 0) return null;
  const options = ({ readOnly, sizeBytes }: (typeof mounts)[number]): string =>
    [...(readOnly ? ['ro'] : []), ...(sizeBytes === null ? [] : [`size=${sizeBytes}`])].join(',');
  return Object.fromEntries(mounts.map((mount) => [mount.target, options(mount)]));
}

/** @param volumeName of what is mounted at a target */
function bindsOf(spec: ContainerSpec, volumeName: (target: string) => string | null): readonly string[] {
  return spec.volumes.flatMap(({ type, source, target, readOnly, propagation }) => {
    const from = type === 'bind' ? source : type === 'volume' && source !== null ? volumeName(target) : null;
    const options = [...(readOnly ? ['ro'] : []), ...(propagation ? [propagation] : [])].join(',');
    return from === null ? [] : [`${from}:${target}${options === '' ? '' : `:${options}`}`];
  });
}

function resourcesOf({ resources }: ContainerSpec): JsonObject {
  const { memoryBytes, memorySwapBytes, cpus, cpuShares, cpuset, pids, ulimits } = resources;
  return {
    Memory: memoryBytes ?? 0,
    MemorySwap: memorySwapBytes ?? 0,
    NanoCpus: Math.round((cpus ?? 0) * NANO),
    CpuShares: cpuShares ?? 0,
    CpusetCpus: cpuset ?? '',
    PidsLimit: pids,
    Ulimits: Object.entries(ulimits).map(([Name, { soft, hard }]) => ({ Name, Hard: hard, Soft: soft })),
  };
}

function logOf({ log }: ContainerSpec): JsonObject {
  return {
    Type: 'json-file',
    Config: { 'max-file': String(log.maxFiles), 'max-size': String(log.maxBytes) },
  };
}

function declaredHostConfig(
  { hostConfig }: ContainerRecord,
  spec: ContainerSpec,
  volumeName: (target: string) => string | null,
): JsonObject {
  const { Dns, DnsSearch, ExtraHosts, VolumesFrom, CapAdd, CapDrop, SecurityOpt, PortBindings, Devices } = hostConfig;
  const tmpfs = tmpfsOf(spec);
  return {
    ...resourcesOf(spec),
    Binds: textsOrNull(bindsOf(spec, volumeName)),
    LogConfig: logOf(spec),
    PortBindings: PortBindings as JsonValue,
    RestartPolicy: { Name: spec.restart.policy, MaximumRetryCount: spec.restart.max },
    VolumesFrom: textsOrNull(VolumesFrom),
    CapAdd: textsOrNull(CapAdd),
    CapDrop: textsOrNull(CapDrop),
    Dns: [...(Dns ?? [])],
    DnsOptions: [],
    DnsSearch: [...(DnsSearch ?? [])],
    ExtraHosts: textsOrNull(ExtraHosts),
    Privileged: spec.privileged,
    ReadonlyRootfs: spec.readOnly,
    SecurityOpt: textsOrNull(SecurityOpt),
    Devices: (Devices ?? []) as JsonValue,
    BlkioWeightDevice: [],
    BlkioDeviceReadBps: [],
    BlkioDeviceWriteBps: [],
    BlkioDeviceReadIOps: [],
    BlkioDeviceWriteIOps: [],
    PidMode: spec.pid ?? '',
    IpcMode: spec.ipc ?? 'private',
    UTSMode: spec.uts ?? '',
    CgroupnsMode: spec.cgroupns ?? 'private',
    ...(spec.init && { Init: true }),
    ...(tmpfs !== null && { Tmpfs: tmpfs }),
    ...(Object.keys(spec.sysctls ?? {}).length > 0 && { Sysctls: spec.sysctls }),
  };
}

interface DeclaredFacts {
  /** How clients call its image. */
  readonly image: string;
  readonly volumeName: (target: string) => string | null;
}

/** Of a container of Docker 1.4 what its record says. */
export function declaredRequest(
  record: ContainerRecord,
  { image, volumeName }: DeclaredFacts,
): { readonly config: JsonObject; readonly hostConfig: JsonObject } {
  if (record.owner === null)
    // Plain data as Docker 1.4 wrote it; an interface has no index signature.
    return {
      config: record.config as unknown as JsonObject,
      hostConfig: record.hostConfig as unknown as JsonObject,
    };
  const spec = containerSpecOf(record.owner);
  return {
    config: declaredConfig(record, spec, image),
    hostConfig: declaredHostConfig(record, spec, volumeName),
  };
}
