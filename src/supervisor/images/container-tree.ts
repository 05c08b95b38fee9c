/** Reading the files of a container: its changes, and the whole. */
import type { LayerChange } from '../../drivers/contract/graph.ts';
import { withoutMountPoints } from '../../images/export/mount-points.ts';
import type { World } from '../../reconcile/ops/world.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';

/** Changes of the container without empty files and directories that are only there to mount something on them. */
export function ownChanges(world: World, record: ContainerRecord, signal: AbortSignal): AsyncGenerator<LayerChange> {
  return withoutMountPoints(world.graph.changes(record.snapshotId, signal), mountTargets(world, record));
}

function mountTargets(world: World, { owner, volumes }: ContainerRecord): readonly string[] {
  const declared = owner === null ? undefined : world.desired().resources.get(owner.key);
  const spec = declared?.kind === 'container' && 'volumes' in declared.spec ? declared.spec.volumes : [];
  const ofSpec = (spec as readonly { readonly target: string }[]).map(({ target }) => target);
  return [...Object.keys(volumes), ...ofSpec];
}
