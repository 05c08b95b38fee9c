import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import type { DependencyCondition } from './references.ts';

/** A container whose policy lets it end well: a migration, a set-up job. */
function isOneShot(spec: ContainerSpec): boolean {
  return spec.restart.policy === 'no' || spec.restart.policy === 'on-failure';
}

/** True when a one-shot did its work: it ended with 0 and is not meant to come back. */
export function isDone(observed: ObservedContainer, spec: ContainerSpec): boolean {
  return !observed.running && observed.exit?.code === 0 && isOneShot(spec);
}

/** Whether a container is what another one waits for. */
export function satisfies(observed: ObservedContainer, spec: ContainerSpec, condition: DependencyCondition): boolean {
  switch (condition) {
    case 'ready':
      return isReady(observed, spec);
    case 'started':
      return (observed.running && !observed.paused) || isDone(observed, spec);
    case 'completed':
      return !observed.running && observed.run > 0 && observed.exit?.code === 0;
  }
}

/** Ready for its dependents and for people: it runs and its probes say so, or it is a one-shot that is done. */
export function isReady(observed: ObservedContainer, spec: ContainerSpec): boolean {
  if (isDone(observed, spec)) return true;
  return observed.running && !observed.paused && observed.health?.ready !== false;
}
