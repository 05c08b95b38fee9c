import type { ResourceKey } from '../../model/resource.ts';
import { baseKey } from '../../model/update.ts';
import type { World } from './world.ts';

/** Tells of things of ours in the kernel and on disk whether somebody owns them now. */
export function ownersOf(world: World): (thing: { readonly type: string; readonly id: string }) => boolean {
  const containers = world.containers.ids();
  const bridges = new Set<string | undefined>([
    world.defaultNetwork()?.key,
    ...world.resources.networks().map(({ key }) => key),
  ]);
  const leased = new Set<string | undefined>([
    ...world.containers.all().map(({ owner }) => owner?.key),
    ...world.desired().resources.keys(),
  ]);
  const updating = world.updates.all();
  return ({ type, id }) => {
    if (world.builds.holds(id) || world.making.has(id)) return true;
    if (type === 'bridge') return bridges.has(id);
    if (type === 'lease') {
      // A cut-over that was interrupted has moved the leases before the records.
      const base = baseKey(id as ResourceKey);
      return leased.has(id) || (leased.has(base) && updating.has(base));
    }
    return containers.has(id);
  };
}
