import { TsdError } from '../../model/errors/errors.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { resolveName } from '../views/names.ts';

/** Finds the container that a name means among those that exist; undefined where it means none, or several. */
export function containerCalled(
  containers: Pick<ContainerStore, 'all' | 'byKey'>,
  name: string,
): ContainerRecord | undefined {
  const candidates = containers
    .all()
    .flatMap(({ owner, engineName, id }) => (owner ? [{ key: owner.key, engineName, id }] : []));
  try {
    return containers.byKey(resolveName('container', name, candidates));
  } catch (error) {
    if (error instanceof TsdError) return undefined;
    throw error;
  }
}
