import type { DesiredState } from '../../model/desired.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { dependenciesOf } from './references.ts';

/** Who needs whom in one generation of the desired state. */
export interface Relations {
  readonly needs: (key: ResourceKey) => readonly ResourceKey[];
  readonly neededBy: (key: ResourceKey) => readonly ResourceKey[];
}

export function relationsOf(desired: DesiredState): Relations {
  const needs = new Map<ResourceKey, readonly ResourceKey[]>();
  const neededBy = new Map<ResourceKey, ResourceKey[]>();
  for (const [key, resource] of desired.resources) {
    const targets = [...new Set(dependenciesOf(resource))];
    if (targets.length === 0) continue;
    needs.set(key, targets);
    for (const target of targets) {
      const users = neededBy.get(target);
      if (users) users.push(key);
      else neededBy.set(target, [key]);
    }
  }
  return { needs: (key) => needs.get(key) ?? [], neededBy: (key) => neededBy.get(key) ?? [] };
}

/** The keys and everything they need, however far away. */
export function withDependencies(keys: Iterable<ResourceKey>, relations: Relations): ReadonlySet<ResourceKey> {
  const result = new Set<ResourceKey>();
  const open = [...keys];
  for (let key = open.pop(); key !== undefined; key = open.pop()) {
    if (result.has(key)) continue;
    result.add(key);
    open.push(...relations.needs(key));
  }
  return result;
}

/**
 * What has to be looked at together when these keys may have changed: they, those that need them directly (a new image
 * or network moves its containers, a dependency that came up lets its dependents start), and all that these need.
 */
export function relatedKeys(keys: Iterable<ResourceKey>, relations: Relations): ReadonlySet<ResourceKey> {
  const changed = [...keys];
  return withDependencies([...changed, ...changed.flatMap((key) => relations.neededBy(key))], relations);
}
