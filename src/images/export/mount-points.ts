import { dirname } from 'node:path';
import type { LayerChange } from '../../drivers/contract/graph.ts';
import { namesWithoutLinks, statWithoutLinks } from '../../ffi/files/without-links.ts';

/** Where every container has something mounted; below the first three nothing is the container's own. */
const SYSTEM_MOUNTS = ['/dev', '/proc', '/sys'];
const FILE_MOUNTS = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf'];

/** Changes without empty files and directories that are only there to mount something on them. */
export async function* withoutMountPoints(
  changes: AsyncIterable<LayerChange>,
  more: readonly string[],
): AsyncGenerator<LayerChange> {
  const targets: ReadonlySet<string> = new Set([...SYSTEM_MOUNTS, ...FILE_MOUNTS, ...more]);
  const above = new Set([...targets].flatMap(ancestors));
  let held: LayerChange[] = [];
  for await (const change of changes) {
    const path = `/${change.path.toString('latin1')}`;
    if (change.kind === 'added' && targets.has(path) && isEmpty(change)) continue;
    held = held.filter(({ path: holder }) => path.startsWith(`/${holder.toString('latin1')}/`));
    if (change.kind === 'added' && above.has(path)) {
      held.push(change);
      continue;
    }
    yield* held.splice(0);
    yield change;
  }
}

function ancestors(path: string): string[] {
  const found: string[] = [];
  for (let at = dirname(path); at !== '/'; at = dirname(at)) found.push(at);
  return found;
}

function isEmpty({ hostPath }: LayerChange): boolean {
  const stat = hostPath === null ? null : statWithoutLinks(hostPath);
  if (hostPath === null || stat === null) return true;
  if (!stat.isDirectory()) return stat.isFile() && stat.size === 0n;
  for (const names of namesWithoutLinks(hostPath)) if (names.length > 0) return false;
  return true;
}
