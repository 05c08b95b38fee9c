import { basename } from 'node:path';
import type { DesiredState } from '../../model/desired.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { ContentStore } from '../../state/content-store.ts';

/** The records of bound copies. */
export interface CopyUsers {
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly contents: Pick<ContentStore, 'holds'>;
}

/**
 * Returns the names of the copies that containers use now or at their next start. A container is recorded with its copies
 * before it binds them.
 */
export function copiesInUse({ containers, contents }: CopyUsers): Set<string> {
  const names = new Set<string>();
  for (const { owner, volumes } of containers.all()) {
    for (const name of Object.values(owner?.files ?? {})) names.add(name);
    for (const { path } of Object.values(volumes)) if (contents.holds(path)) names.add(basename(path));
  }
  return names;
}

/** Like the above, with the copies that declared containers start with. */
export function copiesNeeded(users: CopyUsers & { desired(): DesiredState }): Set<string> {
  const names = copiesInUse(users);
  for (const { files = {} } of users.desired().resources.values())
    for (const name of Object.values(files)) names.add(name);
  return names;
}
