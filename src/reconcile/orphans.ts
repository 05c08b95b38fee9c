/** Finds our objects in the kernel and on disk that have no owner. */
import type { ExecDriver } from '../drivers/contract/exec.ts';
import type { GraphDriver } from '../drivers/contract/graph.ts';
import type { ObservedNetworks } from '../drivers/contract/network.ts';
import type { DesiredState } from '../model/desired.ts';
import type { Orphan } from '../model/observed.ts';
import type { ContainerStore } from '../state/containers/containers.ts';
import type { GraphIndex } from '../state/images/graph-index.ts';
import type { LinkGraph } from '../state/link-graph.ts';
import type { VolumeStore } from '../state/volumes/volumes.ts';
import type { LeaseBook } from './ops/networks/lease-book.ts';
import { type IsOwned, type OwnerPorts, ownersOf } from './ops/owners.ts';
import { findOrphans } from './plan/gc.ts';

/** Objects that may be orphans, and the owners. */
export interface OrphanSightPorts {
  readonly containers: Pick<ContainerStore, 'ids'>;
  readonly exec: Pick<ExecDriver, 'list'>;
  readonly graph: Pick<GraphDriver, 'ids' | 'list'>;
  readonly images: Pick<GraphIndex, 'layersInUse'>;
  readonly volumes: Pick<VolumeStore, 'ids'>;
  readonly links: Pick<LinkGraph, 'entities'>;
  readonly leases: Pick<LeaseBook, 'owners'>;
  readonly owners: Omit<OwnerPorts, 'desired'>;
}

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

function snapshots(ports: OrphanSightPorts, owned: IsOwned): string[] {
  const ids = ports.graph.ids();
  const others = othersIn(ids, ids, ports.containers.ids());
  if (others.length === 0) return [];
  const layers = ports.images.layersInUse();
  const volumes = ports.volumes.ids();
  const unowned = new Set(
    others.filter((id) => !layers.has(id) && !volumes.has(id) && !owned({ type: 'snapshot', id })),
  );
  if (unowned.size === 0) return [];
  // Which of them are snapshots takes a look at each.
  return ports.graph.list().flatMap(({ id, type }) => (type === 'snapshot' && unowned.has(id) ? [id] : []));
}

/** What is unowned now. */
export function orphans(ports: OrphanSightPorts, desired: DesiredState, kernel: ObservedNetworks): Orphan[] {
  const owned = ownersOf({ ...ports.owners, desired: () => desired });
  const containers = ports.containers.ids();
  const processes = ports.exec.list();
  const entities = ports.links.entities();
  return findOrphans(
    {
      process: othersIn(processes, processes, containers),
      sandbox: othersIn(kernel.endpoints, kernel.endpoints.keys(), containers),
      bridge: [...kernel.networks].flatMap(([key, { found }]) => (found ? [key] : [])),
      snapshot: snapshots(ports, owned),
      lease: ports.leases.owners(),
      state: othersIn(entities, entities, containers),
    },
    (type, id) => owned({ type, id }),
  );
}
