import { basename } from 'node:path';
import type { DesiredState } from '../../model/desired.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { ContentStore } from '../../state/content-store.ts';

/** Where it is recorded which copies are bound. */
export interface CopyUsers {
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly contents: Pick<ContentStore, 'holds'>;
}

/**
 * Names of the copies that containers run with, or start with again as they were made. One that is being started is
 * recorded with its copies before it binds them.
 */
export function copiesInUse({ containers, contents }: CopyUsers): Set<string> {
  const names = new Set<string>();
  for (const { owner, volumes } of containers.all()) {
    for (const name of Object.values(owner?.files ?? {})) names.add(name);
    for (const { path } of Object.values(volumes)) if (contents.holds(path)) names.add(basename(path));
  }
  return names;
}

/** And those that declared containers start with. */
export function copiesNeeded(users: CopyUsers & { desired(): DesiredState }): Set<string> {
  const names = copiesInUse(users);
  for (const { files = {} } of users.desired().resources.values())
    for (const name of Object.values(files)) names.add(name);
  return names;
}
