import type { ResourceKey } from '../../model/resource.ts';
import { hasNoStrayLease } from './networks/stray-leases.ts';
import type { World } from './world.ts';

/** Reports whether an object of ours in the kernel or on disk has an owner now. */
export function ownersOf(world: World): (thing: { readonly type: string; readonly id: string }) => boolean {
  const bridges = new Set<string | undefined>([
    world.defaultNetwork()?.key,
    ...world.resources.networks().map(({ key }) => key),
  ]);
  return ({ type, id }) => {
    if (world.builds.holds(id) || world.making.has(id)) return true;
    // That of an app which is left as it is may be one that nothing remembers.
    if (type === 'bridge') return bridges.has(id) || world.desired().untouched?.has(id.split('/')[1] ?? '') === true;
    if (type === 'lease') return hasNoStrayLease(world, id as ResourceKey);
    return world.containers.exists(id);
  };
}
