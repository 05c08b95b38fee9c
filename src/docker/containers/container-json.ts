/** GET /containers/{id}/json. Pure. */
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { ZERO_TIME } from '../../state/files/go-time.ts';
import { derivedId } from '../names.ts';
import type { DockerState } from './container-state.ts';
import type { ContainerSizes } from './container-summary.ts';
import type { EndpointSettings } from './endpoint-settings.ts';
import type { JsonObject } from './json-object.ts';
import type { MountPoint } from './mount-points.ts';
import { portMap } from './ports.ts';

export interface GraphDriverData {
  readonly Name: string;
  readonly Data: Readonly<Record<string, string>> | null;
}

interface InspectedFacts {
  readonly record: ContainerRecord;
  readonly state: DockerState;
  readonly config: JsonObject;
  readonly hostConfig: JsonObject;
  readonly networks: Readonly<Record<string, EndpointSettings>>;
  readonly mounts: readonly MountPoint[];
  readonly logPath: string;
  readonly graphDriver: GraphDriverData;
  /** Null where none is open. */
  readonly execIds: readonly string[] | null;
  readonly sizes: ContainerSizes | null;
}

/** The endpoint on the default bridge stands at the top, too. */
function ofDefaultBridge(networks: InspectedFacts['networks']): Readonly<Record<string, unknown>> {
  const bridge = Object.hasOwn(networks, 'bridge') ? networks.bridge : undefined;
  return {
    EndpointID: bridge?.EndpointID ?? '',
    Gateway: bridge?.Gateway ?? '',
    GlobalIPv6Address: bridge?.GlobalIPv6Address ?? '',
    GlobalIPv6PrefixLen: bridge?.GlobalIPv6PrefixLen ?? 0,
    IPAddress: bridge?.IPAddress ?? '',
    IPPrefixLen: bridge?.IPPrefixLen ?? 0,
    IPv6Gateway: bridge?.IPv6Gateway ?? '',
    MacAddress: bridge?.MacAddress ?? '',
  };
}

function networkSettings({ record, state, networks }: InspectedFacts): Readonly<Record<string, unknown>> {
  const isUp = state.Running && !state.Restarting;
  return {
    Bridge: '',
    SandboxID: isUp ? derivedId('sandbox', record.id) : '',
    SandboxKey: isUp ? `/proc/${state.Pid}/ns/net` : '',
    Ports: isUp ? portMap(record) : {},
    HairpinMode: false,
    LinkLocalIPv6Address: '',
    LinkLocalIPv6PrefixLen: 0,
    SecondaryIPAddresses: null,
    SecondaryIPv6Addresses: null,
    ...ofDefaultBridge(networks),
    Networks: networks,
  };
}

export function containerJson(facts: InspectedFacts): Readonly<Record<string, unknown>> {
  const { record, state, sizes } = facts;
  const wasStarted = state.StartedAt !== ZERO_TIME;
  const path = (text: string): string => (wasStarted ? text : '');
  return {
    Id: record.id,
    Created: record.created,
    Path: record.path,
    Args: record.args,
    State: state,
    Image: record.imageId === '' ? '' : `sha256:${record.imageId}`,
    ResolvConfPath: path(record.resolvConfPath),
    HostnamePath: path(record.hostnamePath),
    HostsPath: path(record.hostsPath),
    LogPath: path(facts.logPath),
    Name: `/${record.engineName}`,
    RestartCount: record.restart.restarts,
    Driver: record.graphDriver,
    Platform: 'linux',
    MountLabel: '',
    ProcessLabel: '',
    AppArmorProfile: '',
    ExecIDs: facts.execIds,
    HostConfig: facts.hostConfig,
    GraphDriver: facts.graphDriver,
    ...(sizes !== null && { SizeRw: sizes.writable, SizeRootFs: sizes.all }),
    Mounts: facts.mounts,
    Config: facts.config,
    NetworkSettings: networkSettings(facts),
  };
}
