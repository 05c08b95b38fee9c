import { closeSync } from 'node:fs';
import type { RootMount } from '../../../src/drivers/contract/graph.ts';
import { mountDetached, mountInPassing } from '../../../src/ffi/storage/mounts.ts';

function mount(root: Exclude<RootMount, { type: 'bind' }>): number {
  if (root.type === 'calls') return mountInPassing('test root', root.place, root.calls, root.subdirectory);
  const lowers = root.lowers.map((lower) => ['lowerdir+', lower] as const);
  return mountDetached('test root', 'overlay', [...lowers, ['upperdir', root.upper], ['workdir', root.work]]);
}

/** Runs `use` with a path into the mounted root filesystem, for any process; the mount is detached and gone afterwards. */
export function withRoot(root: RootMount, use: (path: string) => void): void {
  if (root.type === 'bind') {
    use(root.source);
    return;
  }
  const fd = mount(root);
  try {
    use(`/proc/${process.pid}/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
}
