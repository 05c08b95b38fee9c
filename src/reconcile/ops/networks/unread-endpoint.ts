/**
 * Where a declared container is whose record cannot be read: it runs on, and so does what talks to it. Its leases have the
 * addresses.
 */
import { familyOf } from '../../../model/addresses.ts';
import type { Desired } from '../../../model/desired.ts';
import type { ObservedAddresses } from '../../../model/observed.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { addressesOf } from '../../../state/containers/endpoints.ts';
import { hostnamesOf, type Peer } from '../../names/peer-index.ts';
import { isContainer } from '../../plan/references.ts';
import { type DamagedNames, damagedHolder } from '../containers/damaged-container.ts';
import type { Declared } from '../declared.ts';
import type { LeaseBook } from './lease-book.ts';
import { type KnownNetworks, networkConfigs } from './network-config.ts';

export interface AddressPorts extends Declared, DamagedNames {
  readonly containers: DamagedNames['containers'] & Pick<ContainerStore, 'byKey'>;
  readonly leases: Pick<LeaseBook, 'addressesOf'>;
}

function leased(
  { leases }: Pick<AddressPorts, 'leases'>,
  { key, references }: Desired<'container'>,
): ObservedAddresses[] {
  const held = leases.addressesOf(key);
  return references.networks.flatMap((network) => {
    const own = held.filter(([on]) => on === network).map(([, address]) => address);
    const of = (family: 'ipv4' | 'ipv6') => own.find((address) => familyOf(address) === family) ?? null;
    return own.length === 0 ? [] : [{ network, ipv4: of('ipv4'), ipv6: of('ipv6') }];
  });
}

/** Addresses of a container by its key, from its record or, where that cannot be read, from its leases. */
export function addressesOfKey(ports: AddressPorts, key: ResourceKey): readonly ObservedAddresses[] {
  const record = ports.containers.byKey(key);
  if (record) return addressesOf(record);
  if (!ports.containers.hasDamaged) return [];
  const desired = ports.desired().resources.get(key);
  if (!desired || !isContainer(desired) || damagedHolder(ports, desired.engineName) === null) return [];
  return leased(ports, desired);
}

/** By which names others reach a container whose record cannot be read, on each of its networks; none for every other one. */
export function unreadPeers(
  ports: AddressPorts,
  networks: Omit<KnownNetworks, 'defaultNetworkProblem'>,
  id: string,
): readonly Peer[] {
  if (ports.containers.damaged(id) === undefined) return [];
  for (const desired of ports.desired().resources.values()) {
    if (!isContainer(desired) || damagedHolder(ports, desired.engineName) !== id) continue;
    const { key, app, name, engineName, spec } = desired;
    const bridges = new Map(networkConfigs(networks).map((network) => [network.key, network.interfaceName]));
    return leased(ports, desired).flatMap(({ network, ipv4 }) => {
      const bridge = bridges.get(network);
      if (bridge === undefined || ipv4 === null) return [];
      return [{ key, app, name, engineName, hostnames: hostnamesOf(spec), bridge, address: ipv4 }];
    });
  }
  return [];
}
