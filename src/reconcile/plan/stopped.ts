import type { ObservedContainer } from '../../model/observed.ts';

type Stop = Pick<ObservedContainer, 'stopOverride' | 'stopHash' | 'specHash'>;

/**
 * Whether a manual stop holds for a declaration: it does for the one it was given for, made already or not, and is over
 * when another one comes into force.
 * @param declaredHash null for any: what the container was made from is not started again in the place of another
 * declaration, and an app that a failed update brought back is nobody's edit
 */
export function isStopped({ stopOverride, stopHash, specHash }: Stop, declaredHash: string | null): boolean {
  return stopOverride && (declaredHash === null || declaredHash === (stopHash ?? specHash));
}
