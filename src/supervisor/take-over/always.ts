/** Containers of clients that a start of the supervisor starts although they were stopped, as Docker does. */
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import { isUnknown } from '../../state/restore.ts';

export interface AlwaysPorts {
  readonly containers: Pick<ContainerStore, 'all' | 'update'>;
  readonly exec: Pick<ExecDriver, 'running'>;
}

/** `always` forgets a stop; what was only made, or whose start failed, was never up. */
function comesBack({ owner, state, stopOverride }: ContainerRecord): boolean {
  if (owner?.request === undefined || stopOverride === null) return false;
  const hasRun = state.startedAt !== null && state.startError === null;
  return hasRun && containerSpecOf(owner).restart.policy === 'always';
}

export function forgetStops({ containers, exec }: AlwaysPorts): void {
  for (const record of containers.all())
    if (comesBack(record) && exec.running(record.id) === null && !isUnknown(record))
      containers.update({ ...record, stopOverride: null });
}
