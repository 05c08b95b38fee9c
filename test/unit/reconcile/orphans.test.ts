import { expect, test } from 'vitest';
import type { ObservedNetworks } from '../../../src/drivers/contract/network.ts';
import { type OrphanSightPorts, orphans } from '../../../src/reconcile/orphans.ts';

const NETWORKS: ObservedNetworks = { networks: new Map(), endpoints: new Map() };

const NOTHING_DECLARED = { generation: 0, resources: new Map() };

/** What is asked whose things are whose. */
function portsOf(containers: ReadonlySet<string>, found: { processes: string[]; layers: string[]; names: string[] }) {
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
    defaultNetwork: () => null,
  };
  return { ...parts, owners: parts } as unknown as OrphanSightPorts & typeof parts;
}

test('objects without an owner are found, also in unchanged lists and when only the owner disappears', () => {
  const found = { processes: ['a', 'b', 'x'], layers: ['layer', 'a', 'y'], names: ['a', 'b', 'z'] };
  const unowned = [
    { type: 'process', id: 'x' },
    { type: 'snapshot', id: 'y' },
    { type: 'state', id: 'z' },
  ];
  const both = portsOf(new Set(['a', 'b']), found);
  expect(orphans(both, NOTHING_DECLARED, NETWORKS)).toEqual(unowned);
  expect(orphans(both, NOTHING_DECLARED, NETWORKS)).toEqual(unowned);
  both.making.add('x');
  expect(orphans(both, NOTHING_DECLARED, NETWORKS)).toEqual(unowned.slice(1));
  both.making.delete('x');
  expect(orphans(both, NOTHING_DECLARED, NETWORKS)).toEqual(unowned);
  const withoutB = portsOf(new Set(['a']), found);
  expect(orphans(withoutB, NOTHING_DECLARED, NETWORKS)).toContainEqual({ type: 'process', id: 'b' });
  expect(orphans(portsOf(new Set(['a', 'b', 'x', 'y', 'z']), found), NOTHING_DECLARED, NETWORKS)).toEqual([]);
});
