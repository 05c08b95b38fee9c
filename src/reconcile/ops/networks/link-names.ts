/** Names in the link graph: a container's own, and its aliases for the containers that it links to. */
import type { Desired } from '../../../model/desired.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import type { LinkGraph } from '../../../state/link-graph.ts';
import type { GroupCommit } from '../../group-commit.ts';
import type { Declared } from '../declared.ts';
import type { IsOwned } from '../owners.ts';
import { linkTargets } from './links.ts';

/** The link graph and the links between containers. */
export interface LinkNamePorts extends Declared {
  readonly containers: Pick<ContainerStore, 'byKey'>;
  readonly links: Pick<LinkGraph, 'get' | 'set' | 'list' | 'delete' | 'purge' | 'requireFree'>;
  readonly commits: Pick<GroupCommit, 'commit'>;
  readonly isOwned: IsOwned;
}

/** Ids by alias, of those linked containers that exist. */
function aliasesOf({ containers }: LinkNamePorts, desired: Desired<'container'>): Map<string, string> {
  return new Map(
    linkTargets(desired).flatMap(({ key, alias }) => {
      const linked = containers.byKey(key);
      return linked ? [[alias, linked.id] as const] : [];
    }),
  );
}

function setAliases(ports: LinkNamePorts, desired: Desired<'container'>): void {
  const own = `/${desired.engineName}`;
  const wanted = aliasesOf(ports, desired);
  for (const { path, name, id } of ports.links.list(own, 1)) {
    if (wanted.get(name) === id) wanted.delete(name);
    else ports.links.delete(path);
  }
  for (const [alias, id] of wanted) ports.links.set(`${own}/${alias}`, id);
}

function linkingTo(declared: Declared, key: string): Desired<'container'>[] {
  return [...declared.desired().resources.values()].filter(
    (desired) =>
      desired.kind === 'container' && (desired as Desired<'container'>).references.links.includes(key as never),
  ) as Desired<'container'>[];
}

/** Who has a name, unless it is only left of one that was not made or not removed to its end. */
function holderOf({ links, isOwned }: LinkNamePorts, path: string): string | null {
  const holder = links.get(path);
  return holder !== null && isOwned({ type: 'state', id: holder }) ? holder : null;
}

/** @throws TsdError class conflict when another container than `id` has the name. */
export function requireNameFree(ports: LinkNamePorts, name: string, id: string): void {
  if (holderOf(ports, `/${name}`) !== null) ports.links.requireFree(`/${name}`, id);
}

/**
 * Of a new container: its name, its aliases, and the aliases that others have for it. To be called in a transaction. Names
 * are committed before files, so all of it may have happened before.
 */
export function recordNames(ports: LinkNamePorts, desired: Desired<'container'>, id: string): void {
  const path = `/${desired.engineName}`;
  const holder = ports.links.get(path);
  if (holder !== null && holder !== id && holderOf(ports, path) === null) ports.links.purge(holder);
  if (holder !== id) ports.links.set(path, id);
  setAliases(ports, desired);
  for (const other of linkingTo(ports, desired.key)) {
    if (other.key !== desired.key && ports.links.get(`/${other.engineName}`) !== null) setAliases(ports, other);
  }
}

/**
 * Aliases as the links are now, and the container's own name, which it lost where its removal was begun and came to
 * nothing. Nothing is written when they are so already.
 */
export async function updateAliases(
  ports: LinkNamePorts,
  desired: Desired<'container'>,
  containerId: string,
): Promise<void> {
  const own = `/${desired.engineName}`;
  const named = ports.links.get(own) !== null;
  const wanted = aliasesOf(ports, desired);
  const present = ports.links.list(own, 1);
  if (named && present.length === wanted.size && present.every(({ name, id }) => wanted.get(name) === id)) return;
  await ports.commits.commit({
    names: () => (named ? setAliases(ports, desired) : recordNames(ports, desired, containerId)),
  });
}
