import { closeSync } from 'node:fs';
import type { RootMount } from '../../drivers/contract.ts';
import { mountDetached, mountInPassing } from '../../ffi/mounts.ts';
import { directoryEntries } from '../tree/directory-entries.ts';
import { treeTar } from '../tree/tree-tar.ts';

/** A container's root filesystem as a tar, streamed; what is mounted in it appears as empty directories. */
export async function* rootTar(root: RootMount): AsyncGenerator<Buffer> {
  if (root.type === 'bind') {
    yield* treeTar(await directoryEntries(root.source));
    return;
  }
  const mount = mountToRead(root);
  try {
    // The dot makes it the mount and not the magic link to it.
    yield* treeTar(await directoryEntries(`/proc/self/fd/${mount}/.`));
  } finally {
    closeSync(mount);
  }
}

function mountToRead(root: Exclude<RootMount, { type: 'bind' }>): number {
  const step = 'mount root to read';
  if (root.type === 'calls') return mountInPassing(step, root.place, root.calls, root.subdirectory);
  const layers = [root.upper, ...root.lowers].map((path) => ['lowerdir+', path] as const);
  return mountDetached(step, 'overlay', layers);
}
