/** Reading the files of a container: its changes, and the whole. */
import type { GraphDriver, LayerChange } from '../../drivers/contract/graph.ts';
import { withoutMountPoints } from '../../images/export/mount-points.ts';
import type { DesiredState } from '../../model/desired.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';

export interface TreePorts {
  readonly graph: Pick<GraphDriver, 'changes'>;
  desired(): DesiredState;
}

/** Changes of the container without empty files and directories that are only there to mount something on them. */
export function ownChanges(
  { graph, desired }: TreePorts,
  record: ContainerRecord,
  signal: AbortSignal,
): AsyncGenerator<LayerChange> {
  return withoutMountPoints(graph.changes(record.snapshotId, signal), mountTargets(desired(), record));
}

function mountTargets(desired: DesiredState, { owner, volumes }: ContainerRecord): readonly string[] {
  const declared = owner === null ? undefined : desired.resources.get(owner.key);
  const spec = declared?.kind === 'container' && 'volumes' in declared.spec ? declared.spec.volumes : [];
  const ofSpec = (spec as readonly { readonly target: string }[]).map(({ target }) => target);
  return [...Object.keys(volumes), ...ofSpec];
}
