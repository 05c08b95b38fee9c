import { parseKey, type ResourceKey } from '../../model/resource.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { type VolumeRecord, volumeKey } from '../../state/volumes/volume-record.ts';
import type { VolumeStore } from '../../state/volumes/volumes.ts';
import type { Declared } from './declared.ts';

export interface VolumeUsers extends Declared {
  readonly volumes: Pick<VolumeStore, 'all'>;
  readonly containers: Pick<ContainerStore, 'all'>;
}

/** Containers there are by key, and data that containers use by path. */
function inUse({ containers }: VolumeUsers) {
  const records = containers.all();
  return {
    keys: new Set(records.map(({ owner }) => owner?.key)),
    paths: new Set(records.flatMap(({ volumes }) => Object.values(volumes).map(({ path }) => path))),
  };
}

function isUndeclared({ desired }: VolumeUsers, { owner }: VolumeRecord): boolean {
  if (owner.type !== 'anonymous') return false;
  const { resources, untouched } = desired();
  return !resources.has(owner.containerKey) && untouched?.has(parseKey(owner.containerKey).app) !== true;
}

/**
 * Data without a name whose container is neither declared nor there, and that no other container has taken over, by its
 * name. Derived each time, so that no crash and no full disk keeps it from being seen; a container of that name takes it
 * over again.
 */
export function volumesLeftBehind(users: VolumeUsers): ReadonlyMap<ResourceKey, VolumeRecord> {
  const found = new Map<ResourceKey, VolumeRecord>();
  const candidates = users.volumes.all().filter((volume) => isUndeclared(users, volume));
  if (candidates.length === 0) return found;
  const { keys, paths } = inUse(users);
  for (const volume of candidates) {
    const key = volumeKey(volume);
    const { owner, path } = volume;
    if (key === null || owner.type !== 'anonymous' || keys.has(owner.containerKey) || paths.has(path)) continue;
    found.set(key, volume);
  }
  return found;
}
