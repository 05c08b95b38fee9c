import type { Desired } from '../../model/desired.ts';
import type { ObservedContainer } from '../../model/observed.ts';

type Stop = Pick<ObservedContainer, 'stopOverride' | 'stopHash' | 'specHash'>;

/**
 * Reports whether a manual stop is in force for a declaration. It ends when another declaration than the stopped one comes
 * into force.
 * @param declaredHash null for any declaration: a rollback by a failed update is no edit, and does not end a stop
 */
export function isStopped({ stopOverride, stopHash, specHash }: Stop, declaredHash: string | null): boolean {
  return stopOverride && (declaredHash === null || declaredHash === (stopHash ?? specHash));
}

/** A change of what the Docker API made starts nothing: there, only a start ends a stop. */
export function endsByStartAlone(desired: Pick<Desired, 'request'> | undefined): boolean {
  return desired?.request !== undefined;
}
