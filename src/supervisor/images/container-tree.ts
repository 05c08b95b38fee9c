/** Reading the files of a container: its changes, and the whole. */
import type { LayerChange } from '../../drivers/contract.ts';
import { withoutMountPoints } from '../../images/export/mount-points.ts';
import type { World } from '../../reconcile/ops/world.ts';
import type { ContainerRecord } from '../../state/container-record.ts';

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
export function ownChanges(world: World, record: ContainerRecord): AsyncGenerator<LayerChange> {
  return withoutMountPoints(world.graph.changes(record.snapshotId), mountTargets(world, record));
}

function mountTargets(world: World, { owner, volumes }: ContainerRecord): readonly string[] {
  const declared = owner === null ? undefined : world.desired().resources.get(owner.key);
  const spec = declared?.kind === 'container' && 'volumes' in declared.spec ? declared.spec.volumes : [];
  const ofSpec = (spec as readonly { readonly target: string }[]).map(({ target }) => target);
  return [...Object.keys(volumes), ...ofSpec];
}
