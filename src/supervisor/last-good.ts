import type { DesiredState } from '../model/desired.ts';
import type { ResourceKey } from '../model/resource.ts';
import type { Version } from '../model/update.ts';

/** How far back a generation is looked for; what is older than that is no place to go back to without being asked. */
const LOOK_BACK = 100;

/** What the image of a container is declared as, and those it is built from. */
function imageHash({ resources }: DesiredState, key: ResourceKey): string {
  const hashes = new Map<ResourceKey, string>();
  const open = [resources.get(key)?.references.image ?? null];
  for (let image = open.pop(); image !== undefined; image = open.pop()) {
    const desired = image === null || hashes.has(image) ? undefined : resources.get(image);
    if (!desired) continue;
    hashes.set(desired.key, desired.specHash);
    open.push(...desired.references.bases);
  }
  return [...hashes].sort().join();
}

/**
 * The last generation that declared a container as it was made from `from`, and otherwise than now: itself or its image.
 * Null where none is kept.
 */
export function lastGenerationWith(
  key: ResourceKey,
  from: Version,
  now: DesiredState,
  stateOf: (generation: number) => DesiredState | null,
): number | null {
  const present = now.resources.get(key)?.specHash;
  for (let n = now.generation - 1; n > 0 && n >= now.generation - LOOK_BACK; n--) {
    const then = stateOf(n);
    if (then?.resources.get(key)?.specHash !== from.specHash) continue;
    if (from.specHash !== present || imageHash(then, key) !== imageHash(now, key)) return n;
  }
  return null;
}
