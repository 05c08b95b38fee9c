import type { DesiredState } from '../../model/desired.ts';
import { append } from '../../model/lists.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { Version } from '../../model/update.ts';

/** Number of generations that an automatic rollback searches. */
const LOOK_BACK = 100;

/** Returns the declarations of the image of a container and of its bases. */
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

/** The past generations. */
export interface Past {
  /** Returns null for a generation that is not kept. */
  stateOf(generation: number): DesiredState | null;
  /** Returns the changes of a generation against its predecessor; null when unknown. */
  changedIn(generation: number): Iterable<ResourceKey> | null;
}

/** Reports whether the generation may have changed the container or one of its images. */
function mayConcern(changed: Iterable<ResourceKey> | null, key: ResourceKey): boolean {
  return changed === null || [...changed].some((other) => other === key || other.startsWith('image/'));
}

/**
 * Returns the last generation that declared the container as `from` and differs from the current one in the container or
 * its image; null when none is kept.
 */
export function lastGenerationWith(key: ResourceKey, from: Version, now: DesiredState, past: Past): number | null {
  const present = now.resources.get(key)?.specHash;
  for (let n = now.generation - 1; n > 0 && n >= now.generation - LOOK_BACK; n--) {
    // Resolving a generation costs as much as applying all of it. Unchanged from the next one, it cannot be the result.
    if (!mayConcern(past.changedIn(n + 1), key)) continue;
    const then = past.stateOf(n);
    if (then?.resources.get(key)?.specHash !== from.specHash) continue;
    if (from.specHash !== present || imageHash(then, key) !== imageHash(now, key)) return n;
  }
  return null;
}
