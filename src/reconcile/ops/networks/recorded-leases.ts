import type { ResourceKey } from '../../../model/resource.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { addressesOf } from '../../../state/containers/endpoints.ts';
import type { LeaseBook } from './lease-book.ts';

export interface RecordedLeasePorts {
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly leases: Pick<LeaseBook, 'holderOf' | 'reassign'>;
}

/**
 * Lets each container hold the addresses that its record says it has. A cut-over that was interrupted has moved leases and
 * not records: the address of the predecessor, which still runs, would be given to another container.
 * @param only of these containers, while others may be on their way; of all when left out
 */
export function settleLeases({ containers, leases }: RecordedLeasePorts, only?: ReadonlySet<ResourceKey>): void {
  const amiss = new Map<string, Map<string, ResourceKey>>();
  for (const record of containers.all()) {
    const key = record.owner?.key;
    if (key === undefined || only?.has(key) === false) continue;
    for (const { network, ipv4, ipv6 } of addressesOf(record)) {
      for (const address of [ipv4, ipv6]) {
        if (address === null || leases.holderOf(network, address) === key) continue;
        const holders = amiss.get(network) ?? new Map<string, ResourceKey>();
        amiss.set(network, holders.set(address, key));
      }
    }
  }
  for (const [network, holders] of amiss) {
    leases.reassign(
      network,
      [...holders].map(([address, owner]) => [owner, address]),
    );
  }
}
