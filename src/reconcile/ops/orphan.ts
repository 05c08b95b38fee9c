import type { OpOf } from '../op.ts';
import type { World } from './world.ts';

/** Removes something of ours that has no owner any more. */
export async function removeOrphan(world: World, { orphan }: OpOf<'orphan.remove'>): Promise<void> {
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
      world.leases.release(orphan.id);
      return;
    case 'state':
      world.links.purge(orphan.id);
      return;
  }
}
