import type { Desired } from '../../model/desired.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import { mayComplete } from '../../model/restart-policy.ts';
import type { DependencyCondition } from './references.ts';

/** Reports whether the restart policy lets the container complete: a migration, a set-up job. */
export function isOneShot(spec: ContainerSpec): boolean {
  return mayComplete(spec.restart.policy);
}

/** Reports whether the payload runs and is not paused. */
function goesOn({ running, paused, unrecorded }: ObservedContainer): boolean {
  return running && !paused && (unrecorded ?? null) === null;
}

/** Reports whether a one-shot has completed: it ended with 0 and does not restart. */
function isDone(observed: ObservedContainer, spec: ContainerSpec): boolean {
  return !observed.running && observed.exit?.code === 0 && isOneShot(spec);
}

/** Reports whether a container meets a dependency condition. */
export function satisfies(observed: ObservedContainer, spec: ContainerSpec, condition: DependencyCondition): boolean {
  switch (condition) {
    case 'ready':
      return isReady(observed, spec);
    case 'started':
      return goesOn(observed) || isDone(observed, spec);
    case 'completed':
      return !observed.running && observed.run > 0 && observed.exit?.code === 0;
  }
}

/** Reports whether a completed run belongs to the current declaration: a one-shot of an earlier one has to run again. */
export function isOfItsDeclaration(observed: ObservedContainer, { specHash }: Desired<'container'>): boolean {
  return observed.running || observed.specHash === specHash;
}

/** Reports whether a container meets a condition under its current declaration. Planner and start gate both use it. */
export function meets(
  observed: ObservedContainer,
  desired: Desired<'container'>,
  condition: DependencyCondition,
): boolean {
  return satisfies(observed, desired.spec, condition) && isOfItsDeclaration(observed, desired);
}

/** Reports whether a container is ready: it runs and its probes pass, or it is a completed one-shot. */
export function isReady(observed: ObservedContainer, spec: ContainerSpec): boolean {
  if (isDone(observed, spec)) return true;
  return goesOn(observed) && observed.health?.ready !== false;
}
