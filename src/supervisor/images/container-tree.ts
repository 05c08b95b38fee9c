/** Reading the files of a container: its changes, and the whole. */
import { lstatSync, readdirSync } from 'node:fs';
import { dirname } from 'node:path';
import type { LayerChange } from '../../drivers/contract.ts';
import type { World } from '../../reconcile/ops/world.ts';
import type { ContainerRecord } from '../../state/container-record.ts';

/** Where every container has something mounted; below the first three nothing is the container's own. */
const SYSTEM_MOUNTS = ['/dev', '/proc', '/sys'];
const FILE_MOUNTS = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf'];

/**
 * Stops the container's processes while its files are read: what is written meanwhile would be torn, and a directory
 * that is exchanged for a symlink at the right moment would lead the reader out of the container.
 */
export async function whilePaused<T>(world: World, { id }: ContainerRecord, work: () => Promise<T>): Promise<T> {
  const pauses = world.exec.capabilities.pause && world.exec.running(id) !== null;
  if (!pauses) return work();
  await world.exec.pause(id);
  try {
    return await work();
  } finally {
    if (world.exec.running(id) !== null) await world.exec.unpause(id);
  }
}

/** Changes of the container without empty files and directories that are only there to mount something on them. */
export async function* ownChanges(world: World, record: ContainerRecord): AsyncGenerator<LayerChange> {
  const targets = mountTargets(world, record);
  const above = new Set([...targets].flatMap(ancestors));
  let held: LayerChange[] = [];
  for await (const change of world.graph.changes(record.snapshotId)) {
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

function mountTargets(world: World, { owner, volumes }: ContainerRecord): ReadonlySet<string> {
  const declared = owner === null ? undefined : world.desired().resources.get(owner.key);
  const spec = declared?.kind === 'container' && 'volumes' in declared.spec ? declared.spec.volumes : [];
  const ofSpec = (spec as readonly { readonly target: string }[]).map(({ target }) => target);
  return new Set([...SYSTEM_MOUNTS, ...FILE_MOUNTS, ...Object.keys(volumes), ...ofSpec]);
}

function ancestors(path: string): string[] {
  const found: string[] = [];
  for (let at = dirname(path); at !== '/'; at = dirname(at)) found.push(at);
  return found;
}

function isEmpty({ hostPath }: LayerChange): boolean {
  const stat = hostPath === null ? undefined : lstatSync(hostPath, { throwIfNoEntry: false });
  if (hostPath === null || stat === undefined) return true;
  return stat.isDirectory() ? readdirSync(hostPath).length === 0 : stat.isFile() && stat.size === 0;
}
