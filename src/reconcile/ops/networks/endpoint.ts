/** Addresses, ports and reach of a container on its network, from declarations and leases. */
import type { EndpointConfig, NetworkConfig, Networks, PublishedPort } from '../../../drivers/contract/network.ts';
import { addressIn, bareAddress, macOfAddress, prefixLengthOf } from '../../../model/addresses.ts';
import type { Desired, DesiredState } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { ContainerSpec } from '../../../model/kinds/container.ts';
import type { ExposedPort } from '../../../model/kinds/short-forms.ts';
import { networkMode } from '../../../model/network-mode.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { ContainerNetwork } from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { exposedPorts } from '../../task/docker-config.ts';
import { type Declared, recordOf } from '../declared.ts';
import { type ImageStores, imageById, imageIdOf } from '../images/image-of.ts';
import type { LeaseBook } from './lease-book.ts';
import {
  type DefaultNetworks,
  ipv4RangeOf,
  isDefaultNetworkOff,
  type KnownNetworks,
  networkConfig,
  networkRecord,
  noDefaultBridge,
} from './network-config.ts';
import { type AddressPorts, addressOf } from './unread-endpoint.ts';

/** What says which ports of other containers one may reach. */
export interface ReachPorts extends Declared {
  readonly containers: Pick<ContainerStore, 'byKey'>;
  readonly addresses: AddressPorts;
  readonly imageStores: ImageStores;
}

/** Inputs of an endpoint: its network, free addresses and ports, and what links reach. */
export interface EndpointPorts extends ReachPorts {
  readonly containers: Pick<ContainerStore, 'byKey' | 'get'>;
  readonly network: Pick<Networks, 'checkPort'>;
  readonly networks: KnownNetworks;
  readonly leases: Pick<LeaseBook, 'address' | 'port'>;
  /** Host address of published ports that name none, and the part of the default bridge's subnet to take from. */
  readonly settings: { readonly defaultIp: string; readonly fixedCidr: string | null };
}

/** A container of the default network where that is switched off has loopback only. */
export function isCutOff(networks: DefaultNetworks, { network }: Pick<ContainerSpec, 'network'>): boolean {
  return networkMode(network).type === 'bridge' && isDefaultNetworkOff(networks);
}

/** The bridge network of a container, or null for the modes without one. @throws TsdError TSD_NETWORK. */
export function networkOf(networks: KnownNetworks, desired: Desired<'container'>): NetworkConfig | null {
  const { references, spec } = desired;
  if (references.network !== null) {
    const record = networkRecord(networks, references.network);
    if (!record) throw new TsdError('TSD_NETWORK', `${references.network} is not set up`, { key: desired.key });
    return networkConfig(networks, record);
  }
  if (networkMode(spec.network).type !== 'bridge' || isDefaultNetworkOff(networks)) return null;
  const config = networks.defaultNetwork();
  if (config) return config;
  throw noDefaultBridge(networks, {
    key: desired.key,
    hint: 'Correct what the message names; or give the container a network of its own, or `network: none`.',
  });
}

function declaredContainers(declared: Declared): Desired<'container'>[] {
  return [...declared.desired().resources.values()].filter(
    (desired) => desired.kind === 'container',
  ) as Desired<'container'>[];
}

type AddressesByNetwork = Map<ResourceKey | null, Set<string>>;

/** By generation: an apply of a thousand containers asks a thousand times. */
const fixedByGeneration = new WeakMap<DesiredState, AddressesByNetwork>();

/** Addresses that containers on a network ask for. */
function fixedAddresses(declared: Declared, network: ResourceKey): ReadonlySet<string> {
  const desired = declared.desired();
  let found = fixedByGeneration.get(desired);
  if (!found) {
    found = new Map();
    for (const { references, spec } of declaredContainers(declared)) {
      if (spec.address === null) continue;
      found.set(references.network, (found.get(references.network) ?? new Set()).add(spec.address));
    }
    fixedByGeneration.set(desired, found);
  }
  return found.get(network) ?? new Set();
}

/** Leases an address, the same one as long as the container is declared. @throws TsdError TSD_ADDRESS_POOL_FULL. */
function leaseAddress(ports: EndpointPorts, desired: Desired<'container'>, network: NetworkConfig): string {
  const { subnet, gateway } = ipv4RangeOf(network);
  const fixed = network.key === ports.networks.defaultNetwork()?.key ? ports.settings.fixedCidr : null;
  const address = ports.leases.address({
    network: network.key,
    owner: desired.key,
    subnet,
    gateway,
    fixedCidr: fixed,
    requested: desired.spec.address,
    reserved: () => fixedAddresses(ports, network.key as ResourceKey),
  });
  if (address !== null) return address;
  const { address: fixedAddress } = desired.spec;
  const message =
    fixedAddress === null
      ? `no available ip addresses on network ${network.key} (${subnet})`
      : `ip already allocated: another container has ${fixedAddress} on network ${network.key}`;
  throw new TsdError('TSD_ADDRESS_POOL_FULL', message, {
    key: desired.key,
    source: (fixedAddress === null ? desired.positions.network : desired.positions.address) ?? desired.source,
  });
}

function isPortFree(driver: EndpointPorts['network'], port: PublishedPort, containerId: string | null): boolean {
  try {
    driver.checkPort(port, containerId);
    return true;
  } catch (error) {
    if (error instanceof TsdError && error.code === 'TSD_PORT_IN_USE') return false;
    throw error;
  }
}

function declaredHostPorts(declared: Declared): Set<string> {
  return new Set(
    declaredContainers(declared).flatMap(({ spec }) =>
      spec.ports.map(({ hostPort, protocol }) => `${hostPort}/${protocol}`),
    ),
  );
}

/** Reports whether a port may be picked: the container holds it, or it is free on this host and in all manifests. */
function pickable(ports: EndpointPorts, desired: Desired<'container'>): (port: PublishedPort) => boolean {
  const record = ports.containers.byKey(desired.key);
  const own = record?.network?.ports ?? [];
  let declared: Set<string> | null = null;
  return (port) => {
    const { hostIp, hostPort, protocol } = port;
    if (own.some((held) => held.hostIp === hostIp && held.hostPort === hostPort && held.protocol === protocol)) {
      return true;
    }
    declared ??= declaredHostPorts(ports);
    return !declared.has(`${hostPort}/${protocol}`) && isPortFree(ports.network, port, record?.id ?? null);
  };
}

/** Host ports as declared; those left to us are leased. @throws TsdError TSD_PORT_IN_USE when none is free. */
function publishedPorts(ports: EndpointPorts, desired: Desired<'container'>): readonly PublishedPort[] {
  const mayPick = pickable(ports, desired);
  return desired.spec.ports.map((port, index) => {
    const { containerPort, protocol } = port;
    const hostIp = port.hostIp ?? ports.settings.defaultIp;
    const request = { owner: desired.key, hostIp, containerPort, protocol };
    const published = (hostPort: number): PublishedPort => ({ hostIp, hostPort, containerPort, protocol });
    const hostPort = port.hostPort ?? ports.leases.port(request, (candidate) => mayPick(published(candidate)));
    if (hostPort === null) {
      throw new TsdError('TSD_PORT_IN_USE', 'all ports are allocated', {
        key: desired.key,
        source: desired.positions[`ports.${index}`] ?? desired.source,
      });
    }
    return published(hostPort);
  });
}

/** Host ports that a manifest names, with the index of its field. Those left to us are picked when they are needed. */
export function declaredPorts(
  { settings }: { readonly settings: Pick<EndpointPorts['settings'], 'defaultIp'> },
  desired: Desired<'container'>,
): readonly (readonly [number, PublishedPort])[] {
  return desired.spec.ports.flatMap(({ hostIp, hostPort, containerPort, protocol }, index) =>
    hostPort === null
      ? []
      : [[index, { hostIp: hostIp ?? settings.defaultIp, hostPort, containerPort, protocol }] as const],
  );
}

/** Ports that the image of a container exposes. */
function imagePorts({ containers, imageStores }: ReachPorts, linked: Desired<'container'>): readonly ExposedPort[] {
  const container = containers.byKey(linked.key);
  // Its image as declared now may not be on this host yet; it is all that is known where the record cannot be read.
  const imageId = container ? container.imageId : imageIdOf(imageStores, linked);
  return container || imageId !== null ? imageById(imageStores, imageId, linked).ports : [];
}

/** Ports of linked containers, for networks whose containers do not talk to each other without a link. */
export function reachOf(ports: ReachPorts, desired: Desired<'container'>): EndpointConfig['reach'] {
  return desired.references.links.flatMap((target) => {
    const linked = ports.desired().resources.get(target) as Desired<'container'> | undefined;
    const address = addressOf(ports.addresses, target);
    if (!linked || address === undefined) return [];
    return exposedPorts(linked.spec, imagePorts(ports, linked)).map(({ port, protocol }) => ({
      address,
      port,
      protocol,
    }));
  });
}

export function endpointConfig(
  ports: EndpointPorts,
  desired: Desired<'container'>,
  containerId: string,
  network: NetworkConfig,
): EndpointConfig {
  const address = leaseAddress(ports, desired, network);
  return {
    containerId,
    network: network.key,
    interfaceName: 'eth0',
    ipv4: addressIn(address, ipv4RangeOf(network).subnet),
    ipv6: null,
    mac: macOfAddress(address),
    defaultRoute: { ipv4: true, ipv6: false },
    ports: publishedPorts(ports, desired),
    reach: reachOf(ports, desired),
  };
}

export function recordedNetwork(
  ports: Pick<EndpointPorts, 'containers' | 'imageStores'>,
  desired: Desired<'container'>,
  endpoint: EndpointConfig,
  network: NetworkConfig,
): ContainerNetwork {
  const { subnet, gateway } = ipv4RangeOf(network);
  const { imageId } = recordOf(ports, endpoint.containerId);
  const published = new Set(endpoint.ports.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`));
  return {
    address: bareAddress(endpoint.ipv4 ?? ''),
    prefixLength: prefixLengthOf(subnet),
    mac: endpoint.mac ?? '',
    gateway,
    bridge: network.interfaceName,
    ports: endpoint.ports,
    exposed: exposedPorts(desired.spec, imageById(ports.imageStores, imageId, desired).ports).filter(
      ({ port, protocol }) => !published.has(`${port}/${protocol}`),
    ),
  };
}

/** Keys of containers on this host whose addresses a hosts file names, with their alias. */
export function linkTargets(desired: Desired<'container'>): readonly { alias: string; key: ResourceKey }[] {
  return desired.references.links.map((key, index) => ({ key, alias: desired.spec.links[index]?.alias ?? '' }));
}
