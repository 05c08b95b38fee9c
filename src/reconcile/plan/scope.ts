import type { Desired, DesiredState } from '../../model/desired.ts';
import { append } from '../../model/lists.ts';
import type { Kind, ResourceKey } from '../../model/resource.ts';
import { dependenciesOf, isContainer } from './references.ts';

/** The dependency relations of one generation, computed once for all passes. */
export interface Relations {
  readonly needs: (key: ResourceKey) => readonly ResourceKey[];
  readonly neededBy: (key: ResourceKey) => readonly ResourceKey[];
  readonly ofKind: <K extends Kind>(kind: K) => readonly Desired<K>[];
  /** All containers, in {@link dependencyOrder}. */
  readonly containers: readonly Desired<'container'>[];
}

export function relationsOf(desired: DesiredState): Relations {
  const needs = new Map<ResourceKey, readonly ResourceKey[]>();
  const neededBy = new Map<ResourceKey, ResourceKey[]>();
  const kinds = new Map<Kind, Desired[]>();
  for (const [key, resource] of desired.resources) {
    const alike = kinds.get(resource.kind);
    if (alike) alike.push(resource);
    else kinds.set(resource.kind, [resource]);
    const targets = [...new Set(dependenciesOf(resource))];
    if (targets.length === 0) continue;
    needs.set(key, targets);
    for (const target of targets) {
      const users = neededBy.get(target);
      if (users) users.push(key);
      else neededBy.set(target, [key]);
    }
  }
  const needsOf = (key: ResourceKey): readonly ResourceKey[] => needs.get(key) ?? [];
  return {
    needs: needsOf,
    neededBy: (key) => neededBy.get(key) ?? [],
    ofKind: <K extends Kind>(kind: K) => (kinds.get(kind) ?? []) as Desired<K>[],
    containers: dependencyOrder(desired.resources.values(), desired, needsOf),
  };
}

/** Returns the containers among the resources and their dependencies, each after those it depends on. */
export function dependencyOrder(
  roots: Iterable<Desired>,
  { resources }: DesiredState,
  needs: Relations['needs'],
): Desired<'container'>[] {
  const entered = new Set<ResourceKey>();
  const left = new Set<ResourceKey>();
  const result: Desired<'container'>[] = [];
  for (const root of roots) {
    const stack = [root.key];
    for (let key = stack.at(-1); key !== undefined; key = stack.at(-1)) {
      if (!entered.has(key)) {
        entered.add(key);
        for (const need of needs(key)) if (!entered.has(need)) stack.push(need);
        continue;
      }
      stack.pop();
      if (left.has(key)) continue;
      left.add(key);
      const desired = resources.get(key);
      if (desired && isContainer(desired)) result.push(desired);
    }
  }
  return result;
}

/** Returns the keys with all their dependencies, direct and indirect. */
export function withDependencies(keys: Iterable<ResourceKey>, relations: Relations): ReadonlySet<ResourceKey> {
  const result = new Set<ResourceKey>();
  const open = [...keys];
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    if (result.has(key)) continue;
    result.add(key);
    append(open, relations.needs(key));
  }
  return result;
}

/**
 * Returns the keys to plan together when `keys` may have changed: these, their direct dependents (a new image or network
 * moves its containers; a ready dependency lets its dependents start), and all dependencies of both.
 */
export function relatedKeys(keys: Iterable<ResourceKey>, relations: Relations): ReadonlySet<ResourceKey> {
  const changed = [...keys];
  return withDependencies([...changed, ...changed.flatMap((key) => relations.neededBy(key))], relations);
}
