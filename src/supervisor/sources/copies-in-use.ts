import { basename } from 'node:path';
import type { World } from '../../reconcile/ops/world.ts';
import type { ContentStore } from '../../state/content-store.ts';

/**
 * Names of the copies that containers run with, or start with again as they were made. One that is being started is
 * recorded with its copies before it binds them.
 */
export function copiesInUse(
  { containers }: Pick<World, 'containers'>,
  store: Pick<ContentStore, 'holds'>,
): Set<string> {
  const names = new Set<string>();
  for (const { owner, volumes } of containers.all()) {
    for (const name of Object.values(owner?.files ?? {})) names.add(name);
    for (const { path } of Object.values(volumes)) if (store.holds(path)) names.add(basename(path));
  }
  return names;
}

/** And those that declared containers start with. */
export function copiesNeeded(
  world: Pick<World, 'containers' | 'desired'>,
  store: Pick<ContentStore, 'holds'>,
): Set<string> {
  const names = copiesInUse(world, store);
  for (const { files = {} } of world.desired().resources.values())
    for (const name of Object.values(files)) names.add(name);
  return names;
}
