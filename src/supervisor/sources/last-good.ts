import type { DesiredState } from '../../model/desired.ts';
import { append } from '../../model/lists.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { Version } from '../../model/update.ts';

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
    append(open, desired.references.bases);
  }
  return [...hashes].sort().join();
}

/** The generations there have been. */
export interface Past {
  /** Null where it is not kept. */
  stateOf(generation: number): DesiredState | null;
  /** What a generation changed beside the one before it; null where that is not known. */
  changedIn(generation: number): Iterable<ResourceKey> | null;
}

/** True when a container, or an image that it may come from, can have been another one before that generation. */
function mayConcern(changed: Iterable<ResourceKey> | null, key: ResourceKey): boolean {
  return changed === null || [...changed].some((other) => other === key || other.startsWith('image/'));
}

/**
 * The last generation that declared a container as it was made from `from`, and otherwise than now: itself or its image.
 * Null where none is kept.
 */
export function lastGenerationWith(key: ResourceKey, from: Version, now: DesiredState, past: Past): number | null {
  const present = now.resources.get(key)?.specHash;
  for (let n = now.generation - 1; n > 0 && n >= now.generation - LOOK_BACK; n--) {
    // To make out what was declared costs as much as an apply of it all. As in the next one, it is no such place.
    if (!mayConcern(past.changedIn(n + 1), key)) continue;
    const then = past.stateOf(n);
    if (then?.resources.get(key)?.specHash !== from.specHash) continue;
    if (from.specHash !== present || imageHash(then, key) !== imageHash(now, key)) return n;
  }
  return null;
}
