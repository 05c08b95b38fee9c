import { closeSync } from 'node:fs';
import type { RootMount } from '../../../src/drivers/contract.ts';
import { mountDetached } from '../../../src/ffi/mounts.ts';

/** Runs `use` with a path into the mounted root filesystem; the mount is detached and gone afterwards. */
export function withRoot(root: RootMount, use: (path: string) => void): void {
  if (root.type === 'bind') {
    use(root.source);
    return;
  }
  const lowers = root.lowers.map((lower) => ['lowerdir+', lower] as const);
  const fd = mountDetached('test root', 'overlay', [...lowers, ['upperdir', root.upper], ['workdir', root.work]]);
  try {
    use(`/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}
