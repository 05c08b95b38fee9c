import type { ResourceKey } from '../../../model/resource.ts';
import { baseKey } from '../../../model/update.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { heldAddresses } from './held-addresses.ts';
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
  const records = containers.all();
  const byKey = new Map(records.flatMap((record) => (record.owner ? [[record.owner.key, record] as const] : [])));
  for (const [key, record] of byKey) {
    if (only?.has(key) === false) continue;
    for (const { network, owner, address } of heldAddresses(record, byKey.get(baseKey(key)))) {
      if (leases.holderOf(network, address) === owner) continue;
      const holders = amiss.get(network) ?? new Map<string, ResourceKey>();
      amiss.set(network, holders.set(address, owner));
    }
  }
  for (const [network, holders] of amiss) {
    leases.reassign(
      network,
      [...holders].map(([address, owner]) => [owner, address]),
    );
  }
}
