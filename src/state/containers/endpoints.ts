/** The networks that a container is attached to, as its record has them. Pure. */
import { bareAddress } from '../../model/addresses.ts';
import { membershipsOf } from '../../model/kinds/network-membership.ts';
import { DEFAULT_NETWORK, networkKey } from '../../model/network-mode.ts';
import type { ObservedAddresses } from '../../model/observed.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import type { ContainerOwner, ContainerRecord, RecordedEndpoint, RecordedPort } from './container-record.ts';
import { containerSpecOf } from './written-spec.ts';

type Connected = Pick<ContainerRecord, 'network' | 'endpoints' | 'owner'>;

/** The interface of containers from before there were several. */
const ONLY_INTERFACE = 'eth0';

/** The endpoints of a container, in the order of its networks; none while it is not connected. */
export function endpointsOf({ network, endpoints, owner }: Connected): readonly RecordedEndpoint[] {
  if (endpoints !== undefined) return endpoints;
  if (network === null) return [];
  const { bridge, address, prefixLength, mac, gateway } = network;
  return [
    {
      network: declaredNetwork(owner),
      bridge,
      interfaceName: ONLY_INTERFACE,
      ipv4: address === null ? null : `${address}/${prefixLength}`,
      ipv6: null,
      mac,
      gateway4: gateway,
      gateway6: null,
      defaultRoute: { ipv4: true, ipv6: false },
      aliases: [],
    },
  ];
}

/** Of a record that names its network by the interface alone. Containers of Docker 1.4 are on the default one. */
function declaredNetwork(owner: ContainerOwner | null): ResourceKey {
  const first = owner && membershipsOf(containerSpecOf(owner))[0];
  return owner && first ? networkKey(parseKey(owner.key).app, first.network) : DEFAULT_NETWORK;
}

export function endpointOn(record: Connected, network: string): RecordedEndpoint | undefined {
  return endpointsOf(record).find((endpoint) => endpoint.network === network);
}

/** Addresses without prefix lengths. */
export function addressesOf(record: Connected): ObservedAddresses[] {
  return endpointsOf(record).map(({ network, ipv4, ipv6 }) => ({
    network,
    ipv4: ipv4 && bareAddress(ipv4),
    ipv6: ipv6 && bareAddress(ipv6),
  }));
}

/** A container on one network, as names know it. */
export interface Endpoint {
  /** Interface of the network on the host. */
  readonly bridge: string;
  /** Without prefix length; null where it has none of that family. */
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  /** Names that it has on this network beside those that it has everywhere. */
  readonly aliases: readonly string[];
}

/** The first is the one that its default route goes through. */
export function endpointsByRoute(record: Connected): readonly Endpoint[] {
  const leads = ({ defaultRoute: { ipv4, ipv6 } }: RecordedEndpoint): number => Number(ipv4) * 2 + Number(ipv6);
  return [...endpointsOf(record)]
    .sort((a, b) => leads(b) - leads(a))
    .map(({ bridge, ipv4, ipv6, aliases }) => ({
      bridge,
      ipv4: ipv4 && bareAddress(ipv4),
      ipv6: ipv6 && bareAddress(ipv6),
      aliases,
    }));
}

/** Every address of a container, those of its first network first. */
export function ownAddresses(record: Connected): readonly string[] {
  return addressesOf(record).flatMap(({ ipv4, ipv6 }) => [ipv4, ipv6].filter((address) => address !== null));
}

/** The addresses of the host on the network that leads out in their family; where none does, on the one in Docker's form. */
export function hostAddresses(record: Connected): readonly string[] {
  const all = endpointsOf(record);
  const primary = all.find(({ bridge }) => bridge === record.network?.bridge);
  const leading = (family: 'ipv4' | 'ipv6') => all.find(({ defaultRoute }) => defaultRoute[family]) ?? primary;
  return [leading('ipv4')?.gateway4, leading('ipv6')?.gateway6].filter((address) => typeof address === 'string');
}

/** Ports that an endpoint publishes: those of a family are at the one that leads out, or at the one in Docker's form. */
export function portsOn(record: Connected, { network }: RecordedEndpoint): readonly RecordedPort[] {
  const all = endpointsOf(record);
  const leading = (family: 'ipv4' | 'ipv6') => all.find(({ defaultRoute }) => defaultRoute[family]);
  const primary = all.find(({ bridge }) => bridge === record.network?.bridge);
  const [ipv4, ipv6] = [leading('ipv4'), leading('ipv6')];
  return (record.network?.ports ?? []).filter(({ hostIp }) => {
    const at = hostIp.includes(':') ? (ipv6 ?? ipv4) : (ipv4 ?? ipv6);
    return (at ?? primary)?.network === network;
  });
}

/** What a record says of a container that has let go of its networks. */
export const DISCONNECTED = { network: null, endpoints: [] } as const;
