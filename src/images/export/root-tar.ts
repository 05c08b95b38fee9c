import { closeSync } from 'node:fs';
import type { RootMount } from '../../drivers/contract.ts';
import { directoryEntries } from '../tree/directory-entries.ts';
import { mountToRead } from '../tree/root-view.ts';
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
