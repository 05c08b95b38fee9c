import { closeSync } from 'node:fs';
import type { RootMount } from '../../drivers/contract.ts';
import { mountDetached } from '../../ffi/mounts.ts';
import { directoryEntries } from '../tree/directory-entries.ts';
import { treeTar } from '../tree/tree-tar.ts';

/** A container's root filesystem as a tar, streamed; what is mounted in it appears as empty directories. */
export async function* rootTar(root: RootMount): AsyncGenerator<Buffer> {
  if (root.type === 'bind') {
    yield* treeTar(await directoryEntries(root.source));
    return;
  }
  const layers = [root.upper, ...root.lowers].map((path) => ['lowerdir+', path] as const);
  const mount = mountDetached('mount root to read', 'overlay', layers);
  try {
    // The dot makes it the mount and not the magic link to it.
    yield* treeTar(await directoryEntries(`/proc/self/fd/${mount}/.`));
  } finally {
    closeSync(mount);
  }
}
