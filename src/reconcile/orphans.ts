/** Finds our objects in the kernel and on disk that have no owner. */
import type { ObservedNetworks } from '../drivers/contract/network.ts';
import type { Orphan } from '../model/observed.ts';
import { ownersOf } from './ops/owners.ts';
import type { World } from './ops/world.ts';
import { findOrphans } from './plan/gc.ts';

interface Remembered {
  readonly containers: ReadonlySet<string>;
  readonly others: readonly string[];
}

/** By the list they were found in. Most drivers and stores give the same one while nothing comes or goes. */
const remembered = new WeakMap<object, Remembered>();

/** The ids in a list that are no containers'. */
function othersIn(found: object, ids: Iterable<string>, containers: ReadonlySet<string>): readonly string[] {
  const last = remembered.get(found);
  if (last?.containers === containers) return last.others;
  const others = [...ids].filter((id) => !containers.has(id));
  remembered.set(found, { containers, others });
  return others;
}

function snapshots(world: World, owned: ReturnType<typeof ownersOf>): string[] {
  const ids = world.graph.ids();
  const others = othersIn(ids, ids, world.containers.ids());
  if (others.length === 0) return [];
  const layers = world.images.layersInUse();
  const volumes = world.volumes.ids();
  const unowned = new Set(
    others.filter((id) => !layers.has(id) && !volumes.has(id) && !owned({ type: 'snapshot', id })),
  );
  if (unowned.size === 0) return [];
  // Which of them are snapshots takes a look at each.
  return world.graph.list().flatMap(({ id, type }) => (type === 'snapshot' && unowned.has(id) ? [id] : []));
}

/** What is unowned now. */
export function orphans(world: World, kernel: ObservedNetworks): Orphan[] {
  const owned = ownersOf(world);
  const containers = world.containers.ids();
  const processes = world.exec.list();
  const entities = world.links.entities();
  return findOrphans(
    {
      process: othersIn(processes, processes, containers),
      sandbox: othersIn(kernel.endpoints, kernel.endpoints.keys(), containers),
      bridge: [...kernel.networks].flatMap(([key, { found }]) => (found ? [key] : [])),
      snapshot: snapshots(world, owned),
      lease: world.leases.owners(),
      state: othersIn(entities, entities, containers),
    },
    (type, id) => owned({ type, id }),
  );
}
