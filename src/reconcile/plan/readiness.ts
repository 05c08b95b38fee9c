import type { Desired } from '../../model/desired.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import { mayComplete } from '../../model/restart-policy.ts';
import type { DependencyCondition } from './references.ts';

/** A container whose policy lets it end well: a migration, a set-up job. */
export function isOneShot(spec: ContainerSpec): boolean {
  return mayComplete(spec.restart.policy);
}

/** It runs, and its payload does something. */
function goesOn({ running, paused, unrecorded }: ObservedContainer): boolean {
  return running && !paused && (unrecorded ?? null) === null;
}

/** True when a one-shot did its work: it ended with 0 and is not meant to come back. */
function isDone(observed: ObservedContainer, spec: ContainerSpec): boolean {
  return !observed.running && observed.exit?.code === 0 && isOneShot(spec);
}

/** Whether a container is what another one waits for. */
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

/** What a one-shot did as it was declared before is not the work that its declaration asks for now. */
export function isOfItsDeclaration(observed: ObservedContainer, { specHash }: Desired<'container'>): boolean {
  return observed.running || observed.specHash === specHash;
}

/** Whether a container, as it is now, is what another one waits for. Plan and start gate ask the same. */
export function meets(
  observed: ObservedContainer,
  desired: Desired<'container'>,
  condition: DependencyCondition,
): boolean {
  return satisfies(observed, desired.spec, condition) && isOfItsDeclaration(observed, desired);
}

/** Ready for its dependents and for people: it runs and its probes say so, or it is a one-shot that is done. */
export function isReady(observed: ObservedContainer, spec: ContainerSpec): boolean {
  if (isDone(observed, spec)) return true;
  return goesOn(observed) && observed.health?.ready !== false;
}
