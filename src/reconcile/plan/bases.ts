import type { Desired } from '../../model/desired.ts';
import type { ObservedState } from '../../model/observed.ts';
import type { ResourceKey } from '../../model/resource.ts';

/**
 * The first image of its app that a built one was made from and that is another one now; null when there is none, or it is
 * not known what it was made from.
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
