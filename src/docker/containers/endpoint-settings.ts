/** The networks of a container in Docker's form. Pure. */
import { bareAddress, macOfAddress, prefixLengthOf } from '../../model/addresses.ts';
import { membershipsOf, type NetworkMembership } from '../../model/kinds/network-membership.ts';
import { DEFAULT_NETWORK, networkKey, networkMode } from '../../model/network-mode.ts';
import { own } from '../../model/own.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import type { ContainerRecord, RecordedEndpoint } from '../../state/containers/container-record.ts';
import { endpointOn, endpointsOf } from '../../state/containers/endpoints.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import { shortId } from '../../state/ids.ts';
import { derivedId, engineNameOf } from '../names.ts';

interface IpamConfig {
  readonly IPv4Address?: string;
  readonly IPv6Address?: string;
  readonly LinkLocalIPs?: readonly string[];
}

export interface EndpointSettings {
  readonly IPAMConfig: IpamConfig | null;
  readonly Links: readonly string[] | null;
  readonly Aliases: readonly string[] | null;
  readonly MacAddress: string;
  readonly DriverOpts: Readonly<Record<string, string>> | null;
  readonly GwPriority: number;
  readonly NetworkID: string;
  readonly EndpointID: string;
  readonly Gateway: string;
  readonly IPAddress: string;
  readonly IPPrefixLen: number;
  readonly IPv6Gateway: string;
  readonly GlobalIPv6Address: string;
  readonly GlobalIPv6PrefixLen: number;
  readonly DNSNames: readonly string[] | null;
}

/** What a client asked of an endpoint. */
export type RequestedEndpoint = Partial<
  Pick<EndpointSettings, 'IPAMConfig' | 'Links' | 'Aliases' | 'DriverOpts' | 'GwPriority'>
>;

/** Ids of networks, by key. */
type NetworkIds = (key: ResourceKey) => string;

/** Networks that are not resources of anybody. */
export const HOST_NETWORK: ResourceKey = 'network//host';
export const NO_NETWORK: ResourceKey = 'network//none';

const WITHOUT_ADDRESS: Pick<
  EndpointSettings,
  | 'MacAddress'
  | 'EndpointID'
  | 'Gateway'
  | 'IPAddress'
  | 'IPPrefixLen'
  | 'IPv6Gateway'
  | 'GlobalIPv6Address'
  | 'GlobalIPv6PrefixLen'
> = {
  MacAddress: '',
  EndpointID: '',
  Gateway: '',
  IPAddress: '',
  IPPrefixLen: 0,
  IPv6Gateway: '',
  GlobalIPv6Address: '',
  GlobalIPv6PrefixLen: 0,
};

export function endpointId(networkId: string, containerId: string): string {
  return derivedId('endpoint', networkId, containerId);
}

/** That of its interface where it has none of its own. */
export function macOf({ mac, ipv4 }: Pick<RecordedEndpoint, 'mac' | 'ipv4'>): string {
  return mac ?? (ipv4 === null ? '' : macOfAddress(bareAddress(ipv4)));
}

function addressesOf(endpoint: RecordedEndpoint): typeof WITHOUT_ADDRESS {
  const { ipv4, ipv6, gateway4, gateway6 } = endpoint;
  return {
    ...WITHOUT_ADDRESS,
    MacAddress: macOf(endpoint),
    ...(ipv4 !== null && {
      Gateway: gateway4 ?? '',
      IPAddress: bareAddress(ipv4),
      IPPrefixLen: prefixLengthOf(ipv4),
    }),
    ...(ipv6 !== null && {
      IPv6Gateway: gateway6 ?? '',
      GlobalIPv6Address: bareAddress(ipv6),
      GlobalIPv6PrefixLen: prefixLengthOf(ipv6),
    }),
  };
}

function ipamOf({ ipv4, ipv6 }: NetworkMembership): IpamConfig | null {
  if (ipv4 === null && ipv6 === null) return null;
  return { ...(ipv4 !== null && { IPv4Address: ipv4 }), ...(ipv6 !== null && { IPv6Address: ipv6 }) };
}

/** Where it is declared to be, connected or not. */
function declaredMemberships(record: ContainerRecord): { key: ResourceKey; membership: NetworkMembership | null }[] {
  const { owner } = record;
  if (owner === null) return endpointsOf(record).map(({ network }) => ({ key: network, membership: null }));
  const spec = containerSpecOf(owner);
  const { type } = networkMode(spec.network);
  if (!spec.networks && (type === 'host' || type === 'none'))
    return [{ key: type === 'host' ? HOST_NETWORK : NO_NETWORK, membership: null }];
  const { app } = parseKey(owner.key);
  return membershipsOf(spec).map((membership) => ({ key: networkKey(app, membership.network), membership }));
}

/** Containers on a network of their own choice answer to these names there. */
function dnsNames({ engineName, id, config }: ContainerRecord, aliases: readonly string[]): readonly string[] {
  return [...new Set([engineName, ...aliases, shortId(id), ...(config.Hostname === '' ? [] : [config.Hostname])])];
}

/** Mode of a container's network in Docker's words: `bridge`, `container:<id>`, or the name of a network. */
export function networkModeOf(record: ContainerRecord, idOf: (key: ResourceKey) => string | undefined): string {
  const { owner } = record;
  if (owner === null) return record.hostConfig.NetworkMode;
  const spec = containerSpecOf(owner);
  const mode = networkMode(spec.network);
  const { app } = parseKey(owner.key);
  if (mode.type === 'network') return engineNameOf(networkKey(app, mode.name));
  if (mode.type !== 'container') return mode.type;
  const [first = '', second] = mode.name.split('/');
  const key: ResourceKey = second === undefined ? `container/${app}/${first}` : `container/${first}/${second}`;
  return `container:${idOf(key) ?? mode.name}`;
}

/**
 * The networks of a container by name; those of one that is not connected have no addresses.
 * @param requested what a client asked of them, by name
 */
export function networksOf(
  record: ContainerRecord,
  isRunning: boolean,
  ids: NetworkIds,
  requested: Readonly<Record<string, RequestedEndpoint | null>> = {},
): Readonly<Record<string, EndpointSettings>> {
  const present = endpointsOf(record);
  const isNowhere = own(requested, 'none') === null;
  const declared = declaredMemberships(record).filter(({ key }) => key !== NO_NETWORK || !isNowhere);
  const others = present.filter(({ network }) => !declared.some(({ key }) => key === network));
  const all = [...declared, ...others.map(({ network }) => ({ key: network, membership: null }))];
  return Object.fromEntries(
    all.map(({ key, membership }) => {
      const name = engineNameOf(key);
      const NetworkID = ids(key);
      const endpoint = endpointOn(record, key);
      const isReal = key !== HOST_NETWORK && key !== NO_NETWORK;
      const isNamed = isReal && key !== DEFAULT_NETWORK;
      const asked = own(requested, name) ?? own(requested, NetworkID);
      const aliases = asked?.Aliases ?? endpoint?.aliases ?? membership?.aliases ?? [];
      const isUp = isRunning && (endpoint !== undefined || !isReal);
      const settings: EndpointSettings = {
        IPAMConfig: asked?.IPAMConfig ?? (membership ? ipamOf(membership) : null),
        Links: asked?.Links ?? null,
        Aliases: aliases.length === 0 ? (asked?.Aliases ?? null) : aliases,
        DriverOpts: asked?.DriverOpts ?? null,
        GwPriority: asked?.GwPriority ?? membership?.gatewayPriority ?? 0,
        NetworkID,
        ...(endpoint !== undefined && isUp ? addressesOf(endpoint) : WITHOUT_ADDRESS),
        EndpointID: isUp ? endpointId(NetworkID, record.id) : '',
        DNSNames: isNamed ? dnsNames(record, aliases) : null,
      };
      return [name, settings];
    }),
  );
}
