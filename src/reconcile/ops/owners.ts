import type { ResourceKey } from '../../model/resource.ts';
import { baseKey, nextKey, oldKey } from '../../model/update.ts';
import { containerSpecOf } from '../../state/written-spec.ts';
import { attachedNetwork, isContainer, observedReferences } from '../plan/references.ts';
import type { World } from './world.ts';

/** Whether a key may hold an address and ports: it is declared on a network, or its container was made on one. */
export function isLeaseholder({ desired, containers }: World, key: ResourceKey): boolean {
  const declared = desired().resources.get(key);
  if (declared && isContainer(declared) && attachedNetwork(declared.references, declared.spec) !== null) return true;
  const made = containers.byKey(key);
  if (!made?.owner) return false;
  const spec = containerSpecOf(made.owner);
  return attachedNetwork(observedReferences({ key, engineName: made.engineName, spec }), spec) !== null;
}

/** A cut-over moves leases before the records: an address is held for the container that still uses it. */
function holdsForAnother({ containers, leases }: World, key: ResourceKey): boolean {
  const base = baseKey(key);
  return [base, nextKey(base), oldKey(base)].some((user) => {
    const address = containers.byKey(user)?.network?.address;
    return address !== undefined && leases.holds(key, address);
  });
}

/** Tells of things of ours in the kernel and on disk whether somebody owns them now. */
export function ownersOf(world: World): (thing: { readonly type: string; readonly id: string }) => boolean {
  const bridges = new Set<string | undefined>([
    world.defaultNetwork()?.key,
    ...world.resources.networks().map(({ key }) => key),
  ]);
  return ({ type, id }) => {
    if (world.builds.holds(id) || world.making.has(id)) return true;
    if (type === 'bridge') return bridges.has(id);
    if (type === 'lease') return isLeaseholder(world, id as ResourceKey) || holdsForAnother(world, id as ResourceKey);
    return world.containers.exists(id);
  };
}
