import type { ResourceKey } from '../../model/resource.ts';
import type { OpOf } from '../op.ts';
import { giveUpStrayLeases } from './networks/stray-leases.ts';
import { ownersOf } from './owners.ts';
import type { World } from './world.ts';

type Orphan = OpOf<'orphan.remove'>['orphan'];

async function remove(world: World, orphan: Orphan): Promise<void> {
  if (ownersOf(world)(orphan)) return;
  switch (orphan.type) {
    case 'process':
    case 'cgroup':
      if (world.exec.running(orphan.id)) await world.exec.kill(orphan.id);
      await world.exec.remove(orphan.id);
      return;
    case 'sandbox':
      world.network.detach(orphan.id);
      return;
    case 'bridge':
      world.network.removeNetwork(orphan.id);
      return;
    case 'snapshot':
      await world.graph.remove(orphan.id);
      return;
    case 'lease':
      await giveUpStrayLeases(world, orphan.id as ResourceKey);
      return;
    case 'state':
      await world.commits.commit({ names: () => world.links.purge(orphan.id) });
      return;
  }
}

/** Removes something of ours that has no owner any more, unless it found one since that was seen. */
export async function removeOrphan(world: World, { orphan }: OpOf<'orphan.remove'>): Promise<void> {
  await world.mutex.runExclusive(orphan.id, () => remove(world, orphan));
}
