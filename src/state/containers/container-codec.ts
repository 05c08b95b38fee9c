/** Converts between a {@link ContainerRecord} and the content of config.json and hostconfig.json. Pure. */

import { ERROR_CLASSES, type ErrorClass } from '../../model/errors/error-class.ts';
import { type ExposedPort, isProtocol } from '../../model/kinds/short-forms.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { decodeOverride, encodeOverride } from '../container-override.ts';
import { GoDecodeError, mapValue } from '../files/go-json.ts';
import { ZERO_TIME } from '../files/go-time.ts';
import { decodeRequest, encodeRequest } from '../imperative-request.ts';
import type { ConfigJson, ContainerExtension, DockerState, NetworkSettings } from './container-files.ts';
import { NETWORK_SETTINGS } from './container-files.ts';
import type {
  ContainerNetwork,
  ContainerOwner,
  ContainerRecord,
  Moment,
  RecordedPort,
  RunHandle,
  RunState,
  RunStatus,
} from './container-record.ts';
import { decodeEndpoints, encodeEndpoints } from './endpoint-codec.ts';
import { type HostConfig, RUN_CONFIG } from './run-config.ts';

/** What Docker's restore writes for a run whose end it did not see. */
const UNSEEN_EXIT_CODE = -127;

const timeOrZero = (time: string | null): string => time ?? ZERO_TIME;
const timeOrNull = (text: string): string | null => (text === ZERO_TIME ? null : text);

/** Docker counts a container that waits for its next run as running. */
const RUNNING: readonly RunStatus[] = ['running', 'paused', 'restarting'];

const exitUnseen = (state: RunState): boolean => state.status === 'exited' && state.exitCode === null;

function encodeState(state: RunState): DockerState {
  return {
    Running: RUNNING.includes(state.status),
    Paused: state.status === 'paused',
    Restarting: state.status === 'restarting',
    OOMKilled: state.oomKilled,
    Pid: state.pid,
    ExitCode: exitUnseen(state) ? UNSEEN_EXIT_CODE : (state.exitCode ?? 0),
    Error: state.startError?.message ?? '',
    StartedAt: timeOrZero(state.startedAt),
    FinishedAt: timeOrZero(state.finishedAt),
  };
}

function decodeStatus(state: DockerState): RunStatus {
  if (state.Restarting) return 'restarting';
  if (state.Running) return state.Paused ? 'paused' : 'running';
  return state.StartedAt === ZERO_TIME && state.FinishedAt === ZERO_TIME ? 'created' : 'exited';
}

function decodeErrorClass(text: string): ErrorClass {
  return ERROR_CLASSES.find((known) => known === text) ?? 'unavailable';
}

function decodeState(state: DockerState, extension: ContainerExtension | null): RunState {
  const status = decodeStatus(state);
  const ended = timeOrNull(state.FinishedAt) !== null && !(extension?.ExitUnknown ?? false);
  return {
    status,
    pid: state.Pid,
    exitCode: ended ? state.ExitCode : null,
    oomKilled: state.OOMKilled,
    startError:
      state.Error === '' ? null : { class: decodeErrorClass(extension?.StartErrorClass ?? ''), message: state.Error },
    startedAt: timeOrNull(state.StartedAt),
    finishedAt: timeOrNull(state.FinishedAt),
    bootId: extension?.BootId ?? '',
    startedAtBootMs: extension?.StartedAtBootMs ?? null,
    finishedAtBootMs: extension?.FinishedAtBootMs ?? null,
  };
}

function encodeNetwork(network: ContainerNetwork | null): NetworkSettings {
  if (network === null) return NETWORK_SETTINGS.zero();
  const ports: Record<string, { HostIp: string; HostPort: string }[] | null> = {};
  for (const { port, protocol } of network.exposed) ports[`${port}/${protocol}`] = null;
  for (const { containerPort, protocol, hostIp, hostPort } of network.ports) {
    const name = `${containerPort}/${protocol}`;
    ports[name] = [...(ports[name] ?? []), { HostIp: hostIp, HostPort: String(hostPort) }];
  }
  return {
    IPAddress: network.address ?? '',
    IPPrefixLen: network.prefixLength,
    MacAddress: network.mac ?? '',
    Gateway: network.gateway ?? '',
    Bridge: network.bridge,
    PortMapping: null,
    Ports: ports,
  };
}

function decodePort(text: string, expected: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65535) throw new GoDecodeError('NetworkSettings.Ports', expected);
  return port;
}

function decodeNetwork(settings: NetworkSettings | null): ContainerNetwork | null {
  if (settings === null || (settings.IPAddress === '' && settings.Bridge === '')) return null;
  const ports: RecordedPort[] = [];
  const exposed: ExposedPort[] = [];
  for (const [name, bindings] of Object.entries(settings.Ports ?? {})) {
    const [number = '', protocol = ''] = name.split('/');
    if (!isProtocol(protocol)) throw new GoDecodeError('NetworkSettings.Ports', 'keyed by port/protocol');
    const containerPort = decodePort(number, 'keyed by port/protocol');
    if (bindings === null) exposed.push({ port: containerPort, protocol });
    for (const { HostIp, HostPort } of bindings ?? []) {
      ports.push({ hostIp: HostIp, hostPort: decodePort(HostPort, 'bound to a host port'), containerPort, protocol });
    }
  }
  return {
    address: settings.IPAddress || null,
    prefixLength: settings.IPPrefixLen,
    mac: settings.MacAddress || null,
    gateway: settings.Gateway || null,
    bridge: settings.Bridge,
    ports,
    exposed,
  };
}

function encodeOwner(owner: ContainerOwner | null): ContainerExtension['Owner'] {
  if (owner === null) return null;
  return {
    Key: owner.key,
    Written: owner.written,
    SchemaVersion: owner.schemaVersion,
    SpecHash: owner.specHash,
    ContentHashes: owner.contentHashes,
    Generation: owner.generation,
    Files: owner.files ?? null,
    Request: encodeRequest(owner.request),
    Override: encodeOverride(owner.override),
  };
}

function decodeOwner(owner: ContainerExtension['Owner']): ContainerOwner | null {
  if (owner === null) return null;
  if (!/^container\/[^/]+\/[^/]+$/.test(owner.Key)) {
    throw new GoDecodeError('Tsdocker.Owner.Key', 'the key of a container');
  }
  return {
    key: owner.Key as ResourceKey,
    written: owner.Written,
    schemaVersion: owner.SchemaVersion,
    specHash: owner.SpecHash,
    contentHashes: owner.ContentHashes ?? {},
    generation: owner.Generation,
    ...(owner.Files && { files: owner.Files }),
    ...decodeRequest(owner.Request),
    ...decodeOverride(owner.Override),
  };
}

function encodeHandle(handle: RunHandle | null): ContainerExtension['Handle'] {
  if (handle === null) return null;
  return {
    Run: handle.run,
    BootId: handle.bootId,
    ...encodeDriverState(handle.driverState),
    Pid: handle.pid,
    StartTime: handle.startTime,
    StartedAtMs: handle.startedAtMs,
  };
}

function decodeHandle(containerId: string, handle: ContainerExtension['Handle']): RunHandle | null {
  if (handle === null) return null;
  return {
    containerId,
    run: handle.Run,
    bootId: handle.BootId,
    pid: handle.Pid,
    startTime: handle.StartTime,
    startedAtMs: handle.StartedAtMs,
    driverState: decodeDriverState(handle),
  };
}

type DriverState = RunHandle['driverState'];
type EncodedState = Pick<NonNullable<ContainerExtension['Handle']>, 'ShimPid' | 'ShimStartTime' | 'DriverState'>;

/**
 * Two keys of the native driver's state are in the handle itself: versions that know no state of a driver write and read
 * them there.
 */
function encodeDriverState(state: DriverState): EncodedState {
  const { ShimPid: pid, ShimStartTime: time, ...rest } = state;
  const hasShim = Number.isSafeInteger(pid) && pid !== 0 && typeof time === 'string';
  const own = hasShim ? rest : state;
  const shim = hasShim ? { ShimPid: pid as number, ShimStartTime: time } : { ShimPid: 0, ShimStartTime: '' };
  return { ...shim, DriverState: Object.keys(own).length === 0 ? null : own };
}

function decodeDriverState({ ShimPid, ShimStartTime, DriverState: state }: EncodedState): DriverState {
  const rest = state !== null && typeof state === 'object' && !Array.isArray(state) ? (state as DriverState) : {};
  return ShimPid === 0 ? rest : { ...rest, ShimPid, ShimStartTime };
}

function encodeMoment(moment: Moment | null): ContainerExtension['StoppedUntil'] {
  return moment && { At: moment.at, BootId: moment.bootId, AtBootMs: moment.atBootMs };
}

function decodeMoment(moment: ContainerExtension['StoppedUntil']): Moment | null {
  return moment && { at: moment.At, bootId: moment.BootId, atBootMs: moment.AtBootMs };
}

function decodeStopping(stopping: ContainerExtension['Stopping'] | null): ContainerRecord['stopping'] {
  const at = decodeMoment(stopping?.At ?? null);
  return stopping && at ? { run: stopping.Run, signal: stopping.Signal, at } : null;
}

/** Null for a record that is as Docker 1.4 left it, so that it keeps its form. */
function encodeExtension(record: ContainerRecord): ContainerExtension | null {
  if (record.owner === null && record.run === 0) return null;
  return {
    Owner: encodeOwner(record.owner),
    TopLayer: record.topLayer,
    Snapshot: record.snapshotId,
    Run: record.run,
    BegunAt: encodeMoment(record.begunAt),
    ExitUnknown: exitUnseen(record.state),
    StartErrorClass: record.state.startError?.class ?? '',
    BootId: record.state.bootId,
    StartedAtBootMs: record.state.startedAtBootMs,
    FinishedAtBootMs: record.state.finishedAtBootMs,
    Handle: encodeHandle(record.handle),
    StoppedByUserAt: record.stopOverride?.at ?? null,
    StoppedUntil: encodeMoment(record.stopOverride?.until ?? null),
    StoppedForSpec: record.stopOverride?.specHash ?? null,
    StopTimeoutMs: record.stopTimeoutMs,
    PausedRun: record.pausedRun ?? null,
    Stopping: record.stopping && {
      Run: record.stopping.run,
      Signal: record.stopping.signal,
      At: encodeMoment(record.stopping.at) ?? null,
    },
    ConsecutiveFailures: record.restart.consecutive,
    RestartRequested: record.restart.requested,
    RestartAfterShutdown: record.restart.afterShutdown ?? null,
    LinkAddresses: record.linkAddresses,
    EnvAddresses: record.envAddresses,
    DependencyRuns: record.dependencyRuns,
    Resolver: record.resolver && { Ndots: record.resolver.ndots },
    ...encodeEndpoints(record),
  };
}

export function encodeContainer(record: ContainerRecord): ConfigJson {
  const volumes = Object.entries(record.volumes);
  return {
    State: encodeState(record.state),
    ID: record.id,
    Created: record.created,
    Path: record.path,
    Args: record.args,
    Config: record.config,
    Image: record.imageId,
    NetworkSettings: encodeNetwork(record.network),
    ResolvConfPath: record.resolvConfPath,
    HostnamePath: record.hostnamePath,
    HostsPath: record.hostsPath,
    Name: `/${record.engineName}`,
    Driver: record.graphDriver,
    ExecDriver: record.execDriver,
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    RestartCount: record.restart.restarts,
    Volumes: Object.fromEntries(volumes.map(([target, { path }]) => [target, path])),
    VolumesRW: Object.fromEntries(volumes.map(([target, { writable }]) => [target, writable])),
    Tsdocker: encodeExtension(record),
  };
}

/** @throws GoDecodeError for values that no writer of these files produces. */
export function decodeContainer(json: ConfigJson, hostConfig: HostConfig): ContainerRecord {
  const extension = json.Tsdocker;
  return {
    id: json.ID,
    owner: decodeOwner(extension?.Owner ?? null),
    engineName: json.Name.replace(/^\//, ''),
    created: json.Created,
    imageId: json.Image,
    topLayer: extension === null ? json.Image || null : extension.TopLayer,
    snapshotId: extension?.Snapshot || json.ID,
    graphDriver: json.Driver,
    execDriver: json.ExecDriver,
    path: json.Path,
    args: json.Args ?? [],
    config: json.Config ?? RUN_CONFIG.zero(),
    hostConfig,
    run: extension?.Run ?? 0,
    begunAt: decodeMoment(extension?.BegunAt ?? null),
    state: decodeState(json.State, extension),
    handle: decodeHandle(json.ID, extension?.Handle ?? null),
    network: decodeNetwork(json.NetworkSettings),
    ...decodeEndpoints(extension),
    volumes: Object.fromEntries(
      Object.entries(json.Volumes ?? {}).map(([target, path]) => [
        target,
        { path, writable: mapValue(json.VolumesRW, target) ?? false },
      ]),
    ),
    stopOverride:
      extension?.StoppedByUserAt == null
        ? null
        : {
            at: extension.StoppedByUserAt,
            specHash: extension.StoppedForSpec ?? null,
            until: decodeMoment(extension.StoppedUntil ?? null),
          },
    stopTimeoutMs: extension?.StopTimeoutMs ?? null,
    ...(extension?.PausedRun != null && { pausedRun: extension.PausedRun }),
    stopping: decodeStopping(extension?.Stopping ?? null),
    restart: {
      restarts: json.RestartCount,
      consecutive: extension?.ConsecutiveFailures ?? 0,
      requested: extension?.RestartRequested ?? false,
      ...(extension?.RestartAfterShutdown && { afterShutdown: true }),
    },
    linkAddresses: extension?.LinkAddresses ?? {},
    envAddresses: extension?.EnvAddresses ?? {},
    dependencyRuns: extension?.DependencyRuns ?? {},
    resolver: extension?.Resolver ? { ndots: extension.Resolver.Ndots } : null,
    hostnamePath: json.HostnamePath,
    hostsPath: json.HostsPath,
    resolvConfPath: json.ResolvConfPath,
  };
}
