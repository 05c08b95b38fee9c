import type { ResourceKey } from '../../../model/resource.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import type { ResourceStore } from '../../../state/history/resource-store.ts';
import type { LeaseBook } from './lease-book.ts';

export interface RecordedLeasePorts {
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly leases: Pick<LeaseBook, 'holderOf' | 'reassign'>;
  readonly resources: Pick<ResourceStore, 'networks'>;
}

/**
 * Lets each container that is on a network hold the address that its record says it has. A cut-over that was interrupted
 * has moved leases and not records: the address of the predecessor, which still runs, would be given to another container.
 * @param only of these containers, while others may be on their way; of all when left out
 */
export function settleLeases(
  { containers, leases, resources }: RecordedLeasePorts,
  only?: ReadonlySet<ResourceKey>,
): void {
  const networks = new Map(resources.networks().map(({ bridge, key }) => [bridge, key]));
  const amiss = new Map<string, Map<string, ResourceKey>>();
  for (const { owner, network } of containers.all()) {
    const key = networks.get(network?.bridge ?? '');
    if (!owner || !network || key === undefined || only?.has(owner.key) === false) continue;
    if (leases.holderOf(key, network.address) === owner.key) continue;
    const holders = amiss.get(key) ?? new Map();
    amiss.set(key, holders.set(network.address, owner.key));
  }
  for (const [network, holders] of amiss) {
    leases.reassign(
      network,
      [...holders].map(([address, owner]) => [owner, address]),
    );
  }
}
