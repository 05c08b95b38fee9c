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
  const held = new HeldParents();
  for await (const change of changes) {
    const path = nameOf(change);
    yield* held.leaveFor(path);
    if (change.kind === 'added' && targets.has(path) && isEmpty(change)) held.haveMountPoint();
    else if (above.has(path) && (change.kind === 'added' || change.onlyTime === true)) held.enter(change);
    else {
      yield* held.shown();
      yield change;
    }
  }
  yield* held.leaveFor('/');
}

const nameOf = ({ path }: LayerChange): string => `/${path.toString('latin1')}`;

/** Directories on the way to the current change that are shown only when there is a reason. */
class HeldParents {
  /** Each is in the one before it. */
  #held: { readonly change: LayerChange; hasMountPoint: boolean }[] = [];

  enter(change: LayerChange): void {
    this.#held.push({ change, hasMountPoint: false });
  }

  /** What was left out lies in them: their time has changed with it. */
  haveMountPoint(): void {
    for (const one of this.#held) one.hasMountPoint = true;
  }

  /** A change in them is shown, and they before it. */
  shown(): readonly LayerChange[] {
    return this.#held.splice(0).map(({ change }) => change);
  }

  /** Nothing more comes in those that the path is not in: shown are directories whose time nothing else explains. */
  leaveFor(path: string): readonly LayerChange[] {
    const first = this.#held.findIndex(({ change }) => !path.startsWith(`${nameOf(change)}/`));
    if (first < 0) return [];
    const left = this.#held.splice(first);
    const last = left.findLastIndex(({ change, hasMountPoint }) => change.kind === 'modified' && !hasMountPoint);
    if (last < 0) return [];
    return [...this.shown(), ...left.slice(0, last + 1).map(({ change }) => change)];
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
