/** Names in the link graph: a container's own, and its aliases for the containers that it links to. */
import type { Desired } from '../../../model/desired.ts';
import { ownersOf } from '../owners.ts';
import type { World } from '../world.ts';
import { linkTargets } from './endpoint.ts';

/** Ids by alias, of those linked containers that exist. */
function aliasesOf(world: World, desired: Desired<'container'>): Map<string, string> {
  return new Map(
    linkTargets(desired).flatMap(({ key, alias }) => {
      const linked = world.containers.byKey(key);
      return linked ? [[alias, linked.id] as const] : [];
    }),
  );
}

function setAliases(world: World, desired: Desired<'container'>): void {
  const own = `/${desired.engineName}`;
  const wanted = aliasesOf(world, desired);
  for (const { path, name, id } of world.links.list(own, 1)) {
    if (wanted.get(name) === id) wanted.delete(name);
    else world.links.delete(path);
  }
  for (const [alias, id] of wanted) world.links.set(`${own}/${alias}`, id);
}

function linkingTo(world: World, key: string): Desired<'container'>[] {
  return [...world.desired().resources.values()].filter(
    (desired) =>
      desired.kind === 'container' && (desired as Desired<'container'>).references.links.includes(key as never),
  ) as Desired<'container'>[];
}

/** Who has a name, unless it is only left of one that was not made or not removed to its end. */
function holderOf(world: World, path: string): string | null {
  const holder = world.links.get(path);
  return holder !== null && ownersOf(world)({ type: 'state', id: holder }) ? holder : null;
}

/** @throws TsdError class conflict when another container than `id` has the name. */
export function requireNameFree(world: World, name: string, id: string): void {
  if (holderOf(world, `/${name}`) !== null) world.links.requireFree(`/${name}`, id);
}

/**
 * Of a new container: its name, its aliases, and the aliases that others have for it. To be called in a transaction. Names
 * are committed before files, so all of it may have happened before.
 */
export function recordNames(world: World, desired: Desired<'container'>, id: string): void {
  const path = `/${desired.engineName}`;
  const holder = world.links.get(path);
  if (holder !== null && holder !== id && holderOf(world, path) === null) world.links.purge(holder);
  if (holder !== id) world.links.set(path, id);
  setAliases(world, desired);
  for (const other of linkingTo(world, desired.key)) {
    if (other.key !== desired.key && world.links.get(`/${other.engineName}`) !== null) setAliases(world, other);
  }
}

/**
 * Aliases as the links are now, and the container's own name, which it lost where its removal was begun and came to
 * nothing. Nothing is written when they are so already.
 */
export async function updateAliases(world: World, desired: Desired<'container'>, containerId: string): Promise<void> {
  const own = `/${desired.engineName}`;
  const named = world.links.get(own) !== null;
  const wanted = aliasesOf(world, desired);
  const present = world.links.list(own, 1);
  if (named && present.length === wanted.size && present.every(({ name, id }) => wanted.get(name) === id)) return;
  await world.commits.commit({
    names: () => (named ? setAliases(world, desired) : recordNames(world, desired, containerId)),
  });
}
