/** Unused leases: of a network that the container has left, or of a container that is gone. */
import type { ResourceKey } from '../../../model/resource.ts';
import { baseKey, nextKey, oldKey } from '../../../model/update.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { containerSpecOf } from '../../../state/containers/written-spec.ts';
import { attachedNetwork, isContainer, observedReferences } from '../../plan/references.ts';
import type { Declared } from '../declared.ts';
import type { LeaseBook } from './lease-book.ts';

/** The inputs: on which network each container is declared, and on which it was created. */
export interface LeaseUsers extends Declared {
  readonly containers: Pick<ContainerStore, 'byKey'>;
  readonly leases: Pick<LeaseBook, 'addressesOf'>;
}

export interface StrayLeasePorts extends LeaseUsers {
  readonly leases: Pick<LeaseBook, 'addressesOf' | 'release' | 'leave' | 'save'>;
}

/** The network that a key is declared on. */
function declaredNetwork({ desired }: Declared, key: ResourceKey): string | null {
  const declared = desired().resources.get(key);
  return declared && isContainer(declared) ? attachedNetwork(declared.references, declared.spec) : null;
}

/** Returns the network on which the container of a key was created. */
function madeOn({ containers }: Pick<LeaseUsers, 'containers'>, key: ResourceKey): string | null {
  const made = containers.byKey(key);
  if (!made?.owner) return null;
  const spec = containerSpecOf(made.owner);
  return attachedNetwork(observedReferences({ key, engineName: made.engineName, spec }), spec);
}

/** A cut-over moves leases before the records: an address is held for the container that still uses it. */
function isUsed(users: LeaseUsers, key: ResourceKey, network: string, address: string): boolean {
  const base = baseKey(key);
  // Another network may have the same address.
  const uses = (user: ResourceKey): boolean =>
    users.containers.byKey(user)?.network?.address === address && madeOn(users, user) === network;
  return [base, nextKey(base), oldKey(base)].some(uses);
}

/** Networks on which a key holds an address for nothing. Null: it may hold nothing at all, ports neither. */
function strays(users: LeaseUsers, key: ResourceKey): readonly string[] | null {
  const declared = declaredNetwork(users, key);
  const others = users.leases.addressesOf(key).filter(([network]) => network !== declared);
  if (declared !== null && others.length === 0) return [];
  const made = madeOn(users, key);
  const stray = others.filter(([network, address]) => network !== made && !isUsed(users, key, network, address));
  const mayHold = declared !== null || made !== null || stray.length < others.length;
  return mayHold ? stray.map(([network]) => network) : null;
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
