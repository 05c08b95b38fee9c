import type { Desired } from '../../model/desired.ts';
import type { ObservedState } from '../../model/observed.ts';
import type { ResourceKey } from '../../model/resource.ts';

/**
 * Returns the first declared base of a built image that has changed since the build; null when none has, or when the bases of
 * the build are not known.
 */
export function changedBase({ key, references }: Desired, images: ObservedState['images']): ResourceKey | null {
  const known = images.get(key)?.bases;
  if (!known) return null;
  const isOther = (base: ResourceKey): boolean => {
    const now = images.get(base)?.imageId ?? null;
    return now !== null && now !== known[base];
  };
  return references.bases.find(isOther) ?? null;
}
