import { closeSync } from 'node:fs';
import type { RootMount } from '../../drivers/contract/graph.ts';
import { directoryEntries } from '../tree/directory-entries.ts';
import { mountToRead } from '../tree/root-view.ts';
import { SparseMaps } from '../tree/sparse-entry.ts';
import { treeTar } from '../tree/tree-tar.ts';

/**
 * A container's root filesystem as a tar, streamed; what is mounted in it appears as empty directories.
 * @param signal ends the look at the tree, with its reason
 */
export async function* rootTar(root: RootMount, signal?: AbortSignal): AsyncGenerator<Buffer> {
  if (root.type === 'bind') {
    yield* treeTar(directoryEntries(root.source, signal), new SparseMaps());
    return;
  }
  const mount = mountToRead(root);
  try {
    // The dot makes it the mount and not the magic link to it.
    yield* treeTar(directoryEntries(`/proc/self/fd/${mount}/.`, signal), new SparseMaps());
  } finally {
    closeSync(mount);
  }
}
