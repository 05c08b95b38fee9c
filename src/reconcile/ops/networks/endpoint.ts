/** Endpoints of a container: address, interface, ports and reach on each of its networks, from declarations and leases. */
import type { EndpointConfig, NetworkConfig, PublishedPort } from '../../../drivers/contract/network.ts';
import { addressIn, bareAddress, macOfAddress, prefixLengthOf } from '../../../model/addresses.ts';
import type { Desired } from '../../../model/desired.ts';
import { own } from '../../../model/own.ts';
import type {
  ContainerNetwork,
  ContainerRecord,
  RecordedEndpoint,
} from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { endpointOn, endpointsOf } from '../../../state/containers/endpoints.ts';
import { exposedPorts } from '../../task/docker-config.ts';
import { recordOf } from '../declared.ts';
import { imageById } from '../images/image-of.ts';
import { type JoinedNetwork, joinedNetworks } from './container-networks.ts';
import { type DefaultRoutes, defaultRoutes, publishingNetwork } from './default-routes.ts';
import { type AddressLeasePorts, leaseAddress } from './endpoint-addresses.ts';
import { takenOver } from './held-addresses.ts';
import { interfaceNames } from './interface-names.ts';
import type { LeaseBook } from './lease-book.ts';
import { type ReachPorts, reachOf } from './links.ts';
import type { KnownNetworks } from './network-config.ts';
import { type PublishPorts, publishedPorts } from './published-ports.ts';

/** Inputs of endpoints: networks, free addresses and ports, and what links reach. */
export interface EndpointPorts extends ReachPorts, AddressLeasePorts, PublishPorts {
  readonly containers: Pick<ContainerStore, 'byKey' | 'get'>;
  readonly networks: KnownNetworks;
  readonly leases: Pick<LeaseBook, 'address' | 'port' | 'leave' | 'holders'>;
  readonly settings: { readonly defaultIp: string; readonly fixedCidr: string | null };
}

/** An endpoint as a driver makes it, and the network it is on. */
export interface WantedEndpoint {
  readonly config: EndpointConfig;
  readonly network: NetworkConfig;
  readonly aliases: readonly string[];
}

/**
 * The endpoints that a container is to have, in the order of its interfaces.
 * @param takesOver networks on which it takes over the addresses of its predecessor
 * @throws TsdError TSD_NETWORK, TSD_ADDRESS_POOL_FULL, TSD_PORT_IN_USE.
 */
export function wantedEndpoints(
  ports: EndpointPorts,
  desired: Desired<'container'>,
  containerId: string,
  takesOver: ReadonlySet<string> = new Set(),
): readonly WantedEndpoint[] {
  const joined = joinedNetworks(ports.networks, desired);
  if (joined.length === 0) return [];
  const routes = defaultRoutes(joined);
  const names = interfaceNames(joined, namesOf(ports.containers.get(containerId)));
  const addresses = joined.map((network) => ({
    ipv4: leaseAddress(ports, desired, network, 'ipv4'),
    ipv6: leaseAddress(ports, desired, network, 'ipv6'),
  }));
  const driverOf = ({ config }: JoinedNetwork) => own(ports.networks.settings.networkDrivers, config.driver);
  const publishes = (network: JoinedNetwork): boolean => driverOf(network)?.publishesPorts !== false;
  const published = portsByNetwork(joined, routes, publishedPorts(ports, desired), publishes);
  const record = ports.containers.get(containerId);
  return joined.map((network, index) => ({
    network: network.config,
    aliases: network.membership.aliases,
    config: {
      containerId,
      network: network.key,
      interfaceName: names[network.key] ?? '',
      ...keptPlace(
        record && endpointOn(record, network.key),
        placed(network, addresses[index] ?? { ipv4: null, ipv6: null }, driverOf(network)?.ownMac !== false),
        takesOver.has(network.key),
      ),
      defaultRoute: { ipv4: routes.ipv4 === network.key, ipv6: routes.ipv6 === network.key },
      ports: published.get(network.key) ?? [],
      reach: reachOf(ports, desired, network.key),
      ...(desired.spec.bandwidth && { bandwidth: desired.spec.bandwidth }),
      ...(network.membership.sysctls && { sysctls: network.membership.sysctls }),
    },
  }));
}

/** Names that the interfaces of a container have, or had while it was connected. */
function namesOf(record: ContainerRecord | undefined): Readonly<Record<string, string>> {
  const present = record
    ? endpointsOf(record).map(({ network, interfaceName }) => [network, interfaceName] as const)
    : [];
  return { ...record?.interfaceNames, ...Object.fromEntries(present) };
}

interface Addresses {
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

/** The MAC follows from the address, so that who has it cached is right when another container gets the address. */
function placed(
  { membership, config }: JoinedNetwork,
  { ipv4, ipv6 }: Addresses,
  ownMac: boolean,
): Addresses & Pick<EndpointConfig, 'mac'> {
  const address = ipv4 ?? ipv6;
  const within = (address: string | null, range: { readonly subnet: string } | null): string | null =>
    address === null || range === null ? null : addressIn(address, range.subnet);
  return {
    ipv4: within(ipv4, config.ipv4),
    ipv6: within(ipv6, config.ipv6),
    mac: ownMac ? (membership.mac ?? (address === null ? null : macOfAddress(address))) : null,
  };
}

type Place = Addresses & Pick<EndpointConfig, 'mac' | 'former'>;

/** One that took over addresses keeps those it had, and its MAC, as long as it has its interface. */
function keptPlace(present: RecordedEndpoint | undefined, place: Place, takesOver: boolean): Place {
  if (present === undefined) return place;
  const isSame = present.ipv4 === place.ipv4 && present.ipv6 === place.ipv6;
  if (takesOver) {
    const { former } = takenOver(present, place);
    return former === undefined ? place : { ...place, former, mac: present.mac };
  }
  return present.former && isSame ? { ...place, former: present.former, mac: present.mac } : place;
}

function portsByNetwork(
  networks: readonly JoinedNetwork[],
  routes: DefaultRoutes,
  ports: readonly PublishedPort[],
  publishes: (network: JoinedNetwork) => boolean,
): ReadonlyMap<string, readonly PublishedPort[]> {
  const found = new Map<string, PublishedPort[]>();
  for (const port of ports) {
    const network = publishingNetwork(networks, routes, port.hostIp, publishes);
    if (network !== null) found.set(network, [...(found.get(network) ?? []), port]);
  }
  return found;
}

/** What a record says of endpoints that are attached. */
export function recordedEndpoints(
  ports: Pick<EndpointPorts, 'containers' | 'imageStores'>,
  desired: Desired<'container'>,
  containerId: string,
  wanted: readonly WantedEndpoint[],
): Required<Pick<ContainerRecord, 'network' | 'endpoints' | 'interfaceNames'>> {
  return {
    network: primaryNetwork(ports, desired, containerId, wanted),
    endpoints: wanted.map(recorded),
    interfaceNames: Object.fromEntries(wanted.map(({ config }) => [config.network, config.interfaceName])),
  };
}

function recorded({ config, network, aliases }: WantedEndpoint): RecordedEndpoint {
  const { interfaceName, ipv4, ipv6, mac, defaultRoute, former } = config;
  return {
    network: config.network as RecordedEndpoint['network'],
    bridge: network.interfaceName,
    interfaceName,
    ...{ ipv4, ipv6, mac, defaultRoute, aliases },
    ...(former && { former }),
    gateway4: network.ipv4?.gateway ?? null,
    gateway6: network.ipv6?.gateway ?? null,
  };
}

/** In Docker 1.4's form: the endpoint that leads out, or the first one. */
function primaryNetwork(
  { imageStores, containers }: Pick<EndpointPorts, 'containers' | 'imageStores'>,
  desired: Desired<'container'>,
  containerId: string,
  wanted: readonly WantedEndpoint[],
): ContainerNetwork | null {
  const primary =
    wanted.find(({ config }) => config.defaultRoute.ipv4) ??
    wanted.find(({ config }) => config.defaultRoute.ipv6) ??
    wanted[0];
  if (primary === undefined) return null;
  const { config, network } = primary;
  const { imageId } = recordOf({ containers }, containerId);
  const ports = wanted.flatMap((endpoint) => endpoint.config.ports);
  const published = new Set(ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`));
  return {
    address: config.ipv4 && bareAddress(config.ipv4),
    prefixLength: network.ipv4 === null ? 0 : prefixLengthOf(network.ipv4.subnet),
    mac: config.mac,
    gateway: network.ipv4?.gateway ?? null,
    bridge: network.interfaceName,
    ports,
    exposed: exposedPorts(desired.spec, imageById(imageStores, imageId, desired).ports).filter(
      ({ port, protocol }) => !published.has(`${port}/${protocol}`),
    ),
  };
}
