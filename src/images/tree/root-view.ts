import type { RootMount } from '../../drivers/contract/graph.ts';
import { Beneath } from '../../ffi/files/beneath.ts';
import { openDirectory } from '../../ffi/files/lookup.ts';
import { mountDetached, mountInPassing } from '../../ffi/storage/mounts.ts';

/** A private view of a root filesystem, for reading. The caller closes it. */
export function openRootView(root: RootMount): Beneath {
  if (root.type === 'bind') return new Beneath(openDirectory(`open ${root.source}`, root.source));
  return new Beneath(mountToRead(root));
}

/** A mount of its own that shows what a container's root has now. @returns a descriptor, which the caller closes. */
export function mountToRead(root: Exclude<RootMount, { type: 'bind' }>): number {
  const step = 'mount root to read';
  if (root.type === 'calls') return mountInPassing(step, root.place, root.calls, root.subdirectory);
  const layers = [root.upper, ...root.lowers].map((path) => ['lowerdir+', path] as const);
  return mountDetached(step, 'overlay', layers);
}
