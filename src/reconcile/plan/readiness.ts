import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ObservedContainer } from '../../model/observed.ts';

/** A container whose policy lets it end well: a migration, a set-up job. */
function isOneShot(spec: ContainerSpec): boolean {
  return spec.restart.policy === 'no' || spec.restart.policy === 'on-failure';
}

/** True when a one-shot did its work: it ended with 0 and is not meant to come back. */
export function isDone(observed: ObservedContainer, spec: ContainerSpec): boolean {
  return !observed.running && observed.exit?.code === 0 && isOneShot(spec);
}

/** Ready for its dependents and for people: it runs and its probes say so, or it is a one-shot that is done. */
export function isReady(observed: ObservedContainer, spec: ContainerSpec): boolean {
  if (isDone(observed, spec)) return true;
  return observed.running && !observed.paused && observed.health?.ready !== false;
}
