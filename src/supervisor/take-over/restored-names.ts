/** Names in the link graph, brought into agreement with the records of containers. */
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { LinkGraph } from '../../state/link-graph.ts';
import { decideNames } from '../../state/restore.ts';
import type { Attempt } from './attempt.ts';

export interface RestoredNamePorts {
  readonly containers: Pick<ContainerStore, 'all' | 'ids'>;
  readonly links: Pick<LinkGraph, 'entities' | 'get' | 'set' | 'purge'>;
}

export function repairNames({ containers, links }: RestoredNamePorts, attempt: Attempt): void {
  const { missing, stale } = decideNames(containers.all(), containers.ids(), links.entities(), (path) =>
    links.get(path),
  );
  for (const id of stale) attempt(`names of ${id.slice(0, 12)}`, () => links.purge(id));
  for (const { path, id } of missing) attempt(`name ${path}`, () => links.set(path, id));
}
