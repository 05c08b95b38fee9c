import { expect, test } from 'vitest';
import type { ObservedNetworks } from '../../../src/drivers/contract/network.ts';
import type { World } from '../../../src/reconcile/ops/world.ts';
import { orphans } from '../../../src/reconcile/orphans.ts';

const NETWORKS: ObservedNetworks = { networks: new Map(), endpoints: new Map() };

/** As much of a world as is asked whose things are whose. */
function worldOf(containers: ReadonlySet<string>, found: { processes: string[]; layers: string[]; names: string[] }) {
  const snapshots = found.layers.map((id) => ({ id, parent: null, type: 'snapshot' as const }));
  const parts = {
    containers: { ids: () => containers, exists: (id: string) => containers.has(id), all: () => [] },
    exec: { list: () => found.processes },
    graph: { ids: () => found.layers, list: () => snapshots },
    links: { entities: () => found.names },
    images: { layersInUse: () => new Set(['layer']) },
    volumes: { ids: () => new Set() },
    leases: { owners: () => [] },
    resources: { networks: () => [] },
    updates: { all: () => new Map() },
    builds: { holds: () => false },
    making: new Set<string>(),
    desired: () => ({ resources: new Map() }),
    defaultNetwork: () => null,
  };
  return parts as unknown as World & typeof parts;
}

test('objects without an owner are found, also in unchanged lists and when only the owner disappears', () => {
  const found = { processes: ['a', 'b', 'x'], layers: ['layer', 'a', 'y'], names: ['a', 'b', 'z'] };
  const unowned = [
    { type: 'process', id: 'x' },
    { type: 'snapshot', id: 'y' },
    { type: 'state', id: 'z' },
  ];
  const both = worldOf(new Set(['a', 'b']), found);
  expect(orphans(both, NETWORKS)).toEqual(unowned);
  expect(orphans(both, NETWORKS)).toEqual(unowned);
  both.making.add('x');
  expect(orphans(both, NETWORKS)).toEqual(unowned.slice(1));
  both.making.delete('x');
  expect(orphans(both, NETWORKS)).toEqual(unowned);
  const withoutB = worldOf(new Set(['a']), found);
  expect(orphans(withoutB, NETWORKS)).toContainEqual({ type: 'process', id: 'b' });
  expect(orphans(worldOf(new Set(['a', 'b', 'x', 'y', 'z']), found), NETWORKS)).toEqual([]);
});
