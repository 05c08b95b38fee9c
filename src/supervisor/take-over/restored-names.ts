/** Names in the link graph, brought into agreement with the records of containers. */
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { LinkGraph } from '../../state/link-graph.ts';
import { decideNames } from '../../state/restore.ts';
import type { Attempt } from './attempt.ts';

export interface RestoredNamePorts {
  readonly containers: Pick<ContainerStore, 'all' | 'ids'>;
  readonly links: Pick<LinkGraph, 'entities' | 'get' | 'set' | 'list' | 'delete' | 'purge'>;
}

export function repairNames({ containers, links }: RestoredNamePorts, attempt: Attempt): void {
  for (const path of unfinishedRenames({ containers, links })) attempt(`name ${path}`, () => links.delete(path));
  const { missing, stale } = decideNames(containers.all(), containers.ids(), links.entities(), (path) =>
    links.get(path),
  );
  for (const id of stale) attempt(`names of ${id.slice(0, 12)}`, () => links.purge(id));
  for (const { path, id } of missing) attempt(`name ${path}`, () => links.set(path, id));
}

/** A rename for a client writes names before records: where it went no further the name is no one's. */
function unfinishedRenames({ containers, links }: RestoredNamePorts): readonly string[] {
  const named = containers
    .all()
    .flatMap(({ id, engineName, owner }) => (owner?.request ? [[id, engineName] as const] : []));
  if (named.length === 0) return [];
  const names = new Map(named);
  return links.list('/', 1).flatMap(({ path, id }) => {
    const name = names.get(id);
    return name === undefined || path === `/${name}` ? [] : [path];
  });
}
