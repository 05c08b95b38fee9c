import { mayRestart } from '../../reconcile/plan/restart.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';

/** Its run has ended, and its policy asks for the next one: to clients of Docker it runs all the time. */
export function isRestarting({ owner, state, restart, stopOverride }: ContainerRecord): boolean {
  if (owner === null || stopOverride !== null || state.status !== 'exited') return false;
  return mayRestart(containerSpecOf(owner).restart, state.exitCode !== 0, restart);
}
