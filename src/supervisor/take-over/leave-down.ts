/** `--restart=false`: what does not run at the start of the supervisor stays down. */
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import { restartsAfter } from '../../model/restart-policy.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import { isUnknown } from '../../state/restore.ts';

export interface LeaveDownPorts {
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly exec: Pick<ExecDriver, 'running'>;
  readonly leftDown: Pick<Set<string>, 'add'>;
}

/** Whether a start of the supervisor would start it, according to its record. */
function wouldStart({ owner, state, restart }: ContainerRecord): boolean {
  if (owner === null) return false;
  const { policy } = containerSpecOf(owner).restart;
  if (restart.requested || state.startError !== null) return true;
  return restartsAfter(policy, state.exitCode !== 0);
}

/**
 * What does not run now and would be started again is left down. What has never run is new, and what may run is not known to
 * be down.
 */
export function leaveDown({ containers, exec, leftDown }: LeaveDownPorts): void {
  for (const record of containers.all()) {
    const isDown = record.run > 0 && !exec.running(record.id) && !isUnknown(record);
    if (isDown && wouldStart(record)) leftDown.add(record.id);
  }
}
