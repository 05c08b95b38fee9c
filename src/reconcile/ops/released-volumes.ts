import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { type VolumeRecord, volumeKey } from '../../state/volumes/volume-record.ts';
import type { World } from './world.ts';

type Volumes = Pick<World, 'volumes' | 'containers' | 'desired'>;

/** Containers there are by key, and data that containers use by path. */
function inUse({ containers }: Volumes) {
  const records = containers.all();
  return {
    keys: new Set(records.map(({ owner }) => owner?.key)),
    paths: new Set(records.flatMap(({ volumes }) => Object.values(volumes).map(({ path }) => path))),
  };
}

function isUndeclared({ desired }: Volumes, { owner }: VolumeRecord): boolean {
  if (owner.type !== 'anonymous') return false;
  const { resources, untouched } = desired();
  return !resources.has(owner.containerKey) && untouched?.has(parseKey(owner.containerKey).app) !== true;
}

/**
 * Data without a name whose container is neither declared nor there, and that no other container has taken over, by its
 * name. Derived each time, so that no crash and no full disk keeps it from being seen; a container of that name takes it
 * over again.
 */
export function volumesLeftBehind(world: Volumes): ReadonlyMap<ResourceKey, VolumeRecord> {
  const found = new Map<ResourceKey, VolumeRecord>();
  const candidates = world.volumes.all().filter((volume) => isUndeclared(world, volume));
  if (candidates.length === 0) return found;
  const { keys, paths } = inUse(world);
  for (const volume of candidates) {
    const key = volumeKey(volume);
    const { owner, path } = volume;
    if (key === null || owner.type !== 'anonymous' || keys.has(owner.containerKey) || paths.has(path)) continue;
    found.set(key, volume);
  }
  return found;
}
