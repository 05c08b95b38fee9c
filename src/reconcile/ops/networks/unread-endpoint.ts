/**
 * Where a declared container is whose record cannot be read: it runs on, and so does what talks to it. Its lease has the
 * address.
 */
import type { Desired } from '../../../model/desired.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { hostnamesOf, type Peer } from '../../names/peer-index.ts';
import { attachedNetwork, isContainer } from '../../plan/references.ts';
import { type DamagedNames, damagedHolder } from '../containers/damaged-container.ts';
import type { Declared } from '../declared.ts';
import type { LeaseBook } from './lease-book.ts';
import { type KnownNetworks, networkConfigs } from './network-config.ts';

export interface AddressPorts extends Declared, DamagedNames {
  readonly containers: DamagedNames['containers'] & Pick<ContainerStore, 'byKey'>;
  readonly leases: Pick<LeaseBook, 'addressesOf'>;
}

function leased({ leases }: Pick<AddressPorts, 'leases'>, { key, references, spec }: Desired<'container'>) {
  const network = attachedNetwork(references, spec);
  const address = leases.addressesOf(key).find(([on]) => on === network)?.[1];
  return network === null || address === undefined ? null : { network, address };
}

/** Address of a container by its key, from its record or, where that cannot be read, from its lease. */
export function addressOf(ports: AddressPorts, key: ResourceKey): string | undefined {
  const record = ports.containers.byKey(key);
  if (record || !ports.containers.hasDamaged) return record?.network?.address;
  const desired = ports.desired().resources.get(key);
  if (!desired || !isContainer(desired) || damagedHolder(ports, desired.engineName) === null) return undefined;
  return leased(ports, desired)?.address;
}

/** By which names others reach a container whose record cannot be read; null for every other one. */
export function unreadPeer(
  ports: AddressPorts,
  networks: Omit<KnownNetworks, 'defaultNetworkProblem'>,
  id: string,
): Peer | null {
  if (ports.containers.damaged(id) === undefined) return null;
  for (const desired of ports.desired().resources.values()) {
    if (!isContainer(desired) || damagedHolder(ports, desired.engineName) !== id) continue;
    const { key, app, name, engineName, spec } = desired;
    const lease = leased(ports, desired);
    const bridge = networkConfigs(networks).find((network) => network.key === lease?.network)?.interfaceName;
    if (lease === null || bridge === undefined) return null;
    return { key, app, name, engineName, hostnames: hostnamesOf(spec), bridge, address: lease.address };
  }
  return null;
}
