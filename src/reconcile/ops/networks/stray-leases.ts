/** Unused leases: of a network that the container has left, or of a container that is gone. */
import { bareAddress } from '../../../model/addresses.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { baseKey, nextKey, oldKey } from '../../../model/update.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { endpointOn } from '../../../state/containers/endpoints.ts';
import { containerSpecOf } from '../../../state/containers/written-spec.ts';
import { isContainer, observedReferences } from '../../plan/references.ts';
import type { Declared } from '../declared.ts';
import type { LeaseBook } from './lease-book.ts';

/** The inputs: on which networks each container is declared, and on which it was created. */
export interface LeaseUsers extends Declared {
  readonly containers: Pick<ContainerStore, 'byKey'>;
  readonly leases: Pick<LeaseBook, 'addressesOf'>;
}

export interface StrayLeasePorts extends LeaseUsers {
  readonly leases: Pick<LeaseBook, 'addressesOf' | 'release' | 'leave' | 'save'>;
}

/** The networks that a key is declared on; none where it is not declared. */
function declaredNetworks({ desired }: Declared, key: ResourceKey): readonly string[] {
  const declared = desired().resources.get(key);
  return declared && isContainer(declared) ? declared.references.networks : [];
}

/** Returns the networks on which the container of a key was created. */
function madeOn({ containers }: Pick<LeaseUsers, 'containers'>, key: ResourceKey): readonly string[] {
  const made = containers.byKey(key);
  if (!made?.owner) return [];
  const spec = containerSpecOf(made.owner);
  return observedReferences({ key, engineName: made.engineName, spec }).networks;
}

/** A cut-over moves leases before the records: an address is held for the container that still uses it. */
function isUsed(users: LeaseUsers, key: ResourceKey, network: string, address: string): boolean {
  const base = baseKey(key);
  // Another network may have the same address.
  const uses = (user: ResourceKey): boolean => {
    const record = users.containers.byKey(user);
    const on = record && endpointOn(record, network);
    const all = [on?.ipv4, on?.ipv6, on?.former?.ipv4, on?.former?.ipv6];
    return all.some((used) => used && bareAddress(used) === address);
  };
  return [base, nextKey(base), oldKey(base)].some(uses);
}

/** Networks on which a key holds an address for nothing. Null: it may hold nothing at all, ports neither. */
function strays(users: LeaseUsers, key: ResourceKey): readonly string[] | null {
  const declared = declaredNetworks(users, key);
  const others = users.leases.addressesOf(key).filter(([network]) => !declared.includes(network));
  if (declared.length > 0 && others.length === 0) return [];
  const made = madeOn(users, key);
  const stray = others.filter(([network, address]) => !made.includes(network) && !isUsed(users, key, network, address));
  const mayHold = declared.length > 0 || made.length > 0 || stray.length < others.length;
  return mayHold ? [...new Set(stray.map(([network]) => network))] : null;
}

export function hasNoStrayLease(users: LeaseUsers, key: ResourceKey): boolean {
  return strays(users, key)?.length === 0;
}

export async function giveUpStrayLeases(ports: StrayLeasePorts, key: ResourceKey): Promise<void> {
  const stray = strays(ports, key);
  if (stray?.length === 0) return;
  if (stray === null) ports.leases.release(key);
  else for (const network of stray) ports.leases.leave(key, network);
  await ports.leases.save();
}
