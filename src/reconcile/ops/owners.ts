import type { ResourceKey } from '../../model/resource.ts';
import { baseKey } from '../../model/update.ts';
import type { World } from './world.ts';

/** Tells of things of ours in the kernel and on disk whether somebody owns them now. */
export function ownersOf(world: World): (thing: { readonly type: string; readonly id: string }) => boolean {
  const bridges = new Set<string | undefined>([
    world.defaultNetwork()?.key,
    ...world.resources.networks().map(({ key }) => key),
  ]);
  const declared = world.desired().resources;
  const leased = (id: string): boolean =>
    declared.has(id as ResourceKey) || world.containers.all().some(({ owner }) => owner?.key === id);
  const updating = world.updates.all();
  return ({ type, id }) => {
    if (world.builds.holds(id) || world.making.has(id)) return true;
    if (type === 'bridge') return bridges.has(id);
    if (type === 'lease') {
      if (leased(id)) return true;
      // A cut-over that was interrupted has moved the leases before the records.
      const base = baseKey(id as ResourceKey);
      return updating.get(base)?.failure === null && leased(base);
    }
    return world.containers.exists(id);
  };
}
