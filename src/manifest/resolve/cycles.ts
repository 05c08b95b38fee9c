import type { References } from '../../model/desired.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { type Finding, finding, positionOf, type Universe } from './universe.ts';

/** Everything that must be there before a container can start, or an image be built. */
const dependencies = (references: References): ResourceKey[] => [
  ...references.links,
  ...references.volumesFrom,
  ...references.dependsOn,
  ...references.bases,
  ...(references.networkContainer === null ? [] : [references.networkContainer]),
  ...(references.namespaceContainers ?? []),
];

/** Takes away, again and again, what depends on nothing that is left; what stays is in or before a cycle. */
function reduce(graph: Map<ResourceKey, readonly ResourceKey[]>): void {
  const dependents = new Map<ResourceKey, ResourceKey[]>();
  const open = new Map<ResourceKey, number>();
  for (const [key, targets] of graph) {
    const inside = targets.filter((target) => graph.has(target));
    open.set(key, inside.length);
    for (const target of inside) {
      const list = dependents.get(target) ?? [];
      list.push(key);
      dependents.set(target, list);
    }
  }
  const ready = [...open].filter(([, count]) => count === 0).map(([key]) => key);
  for (let key = ready.pop(); key !== undefined; key = ready.pop()) {
    graph.delete(key);
    for (const dependent of dependents.get(key) ?? []) {
      const left = (open.get(dependent) ?? 0) - 1;
      open.set(dependent, left);
      if (left === 0) ready.push(dependent);
    }
  }
}

/** Follows one edge after another until a key comes again. Every key of a reduced graph has an edge. */
function walk(graph: ReadonlyMap<ResourceKey, readonly ResourceKey[]>, start: ResourceKey): ResourceKey[] {
  const path: ResourceKey[] = [];
  const seen = new Map<ResourceKey, number>();
  for (let key: ResourceKey | undefined = start; key !== undefined; ) {
    const again = seen.get(key);
    if (again !== undefined) return path.slice(again);
    seen.set(key, path.length);
    path.push(key);
    key = graph.get(key)?.find((target) => graph.has(target));
  }
  return [];
}

/** Circles of links, dependsOn, volumesFrom, namespaces of containers and builds FROM each other, each with its whole path. Self-references are not among them. */
export function findCycles(references: ReadonlyMap<ResourceKey, References>, universe: Universe): Finding[] {
  const graph = new Map<ResourceKey, readonly ResourceKey[]>();
  for (const [key, own] of references)
    graph.set(
      key,
      dependencies(own).filter((target) => target !== key),
    );
  const found: Finding[] = [];
  for (;;) {
    reduce(graph);
    const start = [...graph.keys()].sort()[0];
    if (start === undefined) return found;
    const cycle = walk(graph, start);
    const members = cycle.map((key) => universe.get(key)).filter((member) => member !== undefined);
    const path = [...cycle, cycle[0] ?? start].map((key) => key.replace(/^container\//, '')).join(' -> ');
    for (const source of new Set(members.map((member) => member.candidate))) {
      const at = members.find((member) => member.candidate === source);
      if (!at) continue;
      const field =
        ['links', 'dependsOn', 'volumesFrom', 'network', 'pid', 'ipc', 'build'].find(
          (name) => at.resource.positions[name],
        ) ?? 'links';
      const others = members.map((member) => member.candidate);
      found.push(
        finding(at, 'TSD_MANIFEST_CYCLE', `these wait for each other: ${path}`, positionOf(at, field), others),
      );
    }
    for (const key of cycle) graph.delete(key);
    if (cycle.length === 0) graph.delete(start);
  }
}
