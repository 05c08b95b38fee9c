/** Unused leases: of a network that the container has left, or of a container that is gone. */
import type { ResourceKey } from '../../../model/resource.ts';
import { baseKey, nextKey, oldKey } from '../../../model/update.ts';
import { containerSpecOf } from '../../../state/containers/written-spec.ts';
import { attachedNetwork, isContainer, observedReferences } from '../../plan/references.ts';
import type { World } from '../world.ts';

/** The stores that decide it. */
type LeaseWorld = Pick<World, 'desired' | 'containers' | 'leases'>;

/** The network that a key is declared on. */
function declaredNetwork({ desired }: LeaseWorld, key: ResourceKey): string | null {
  const declared = desired().resources.get(key);
  return declared && isContainer(declared) ? attachedNetwork(declared.references, declared.spec) : null;
}

/** The network that the container of a key was made on. */
function madeOn({ containers }: LeaseWorld, key: ResourceKey): string | null {
  const made = containers.byKey(key);
  if (!made?.owner) return null;
  const spec = containerSpecOf(made.owner);
  return attachedNetwork(observedReferences({ key, engineName: made.engineName, spec }), spec);
}

/** A cut-over moves leases before the records: an address is held for the container that still uses it. */
function isUsed(world: LeaseWorld, key: ResourceKey, network: string, address: string): boolean {
  const base = baseKey(key);
  // Another network may have the same address.
  const uses = (user: ResourceKey): boolean =>
    world.containers.byKey(user)?.network?.address === address && madeOn(world, user) === network;
  return [base, nextKey(base), oldKey(base)].some(uses);
}

/** Networks on which a key holds an address for nothing. Null: it may hold nothing at all, ports neither. */
function strays(world: LeaseWorld, key: ResourceKey): readonly string[] | null {
  const declared = declaredNetwork(world, key);
  const others = world.leases.addressesOf(key).filter(([network]) => network !== declared);
  if (declared !== null && others.length === 0) return [];
  const made = madeOn(world, key);
  const stray = others.filter(([network, address]) => network !== made && !isUsed(world, key, network, address));
  const mayHold = declared !== null || made !== null || stray.length < others.length;
  return mayHold ? stray.map(([network]) => network) : null;
}

export function hasNoStrayLease(world: LeaseWorld, key: ResourceKey): boolean {
  return strays(world, key)?.length === 0;
}

export async function giveUpStrayLeases(world: World, key: ResourceKey): Promise<void> {
  const stray = strays(world, key);
  if (stray?.length === 0) return;
  if (stray === null) world.leases.release(key);
  else for (const network of stray) world.leases.leave(key, network);
  await world.leases.save(world.commits);
}
