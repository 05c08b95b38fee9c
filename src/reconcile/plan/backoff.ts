import type { ErrorClass } from '../../model/error-class.ts';
import { fraction } from './mint.ts';

/** How long a container that ended waits before it is started again (DESIGN §7). */
export const RESTART_BACKOFF = {
  /** The first retry comes at once, the second after this. */
  baseMs: 500,
  factor: 2,
  capMs: 60_000,
  /** Delays are spread by ± this share, so that many containers do not come back in step. */
  jitter: 0.2,
  /** A run of at least this length, where there are no probes, ends a row of quick failures. */
  resetAfterMs: 10_000,
  /** With probes, this long after it was ready first. */
  resetAfterReadyMs: 60_000,
  /** Under `always` an exit with 0 waits this, however often. */
  cleanExitMs: 1_000,
} as const;

const OPERATION_BACKOFF = { baseMs: 500, capMs: 60_000 } as const;
/** Missing rights rarely appear by themselves. */
const DENIED_BACKOFF = { baseMs: 30_000, capMs: 600_000 } as const;

function growing(curve: { baseMs: number; capMs: number }, steps: number, jitterParts: readonly string[]): number {
  const spread = 1 + RESTART_BACKOFF.jitter * (2 * fraction(...jitterParts) - 1);
  return Math.min(curve.capMs, Math.round(curve.baseMs * RESTART_BACKOFF.factor ** steps * spread));
}

/**
 * Delay in ms before a restart.
 * @param quickFailures quick failures in a row before the one that just happened
 */
export function restartDelay(quickFailures: number, seed: string, containerId: string): number {
  if (quickFailures === 0) return 0;
  return growing(RESTART_BACKOFF, quickFailures - 1, [seed, containerId, String(quickFailures)]);
}

/**
 * Delay in ms before an op that failed is tried again; null: not before something changes or a person approves.
 * The class of the error alone decides the curve (DESIGN §9).
 * @param attempts failures so far, at least 1
 * @param seed makes the jitter; give the key's text to spread keys
 */
export function retryDelay(errorClass: ErrorClass, attempts: number, seed: string): number | null {
  switch (errorClass) {
    case 'invalid':
    case 'unsupported':
    case 'data-loss':
    case 'bug':
      return null;
    case 'not-found':
    case 'already-exists':
      return attempts <= 1 ? 0 : growing(OPERATION_BACKOFF, attempts - 2, [seed, String(attempts)]);
    case 'denied':
      return growing(DENIED_BACKOFF, attempts - 1, [seed, String(attempts)]);
    case 'conflict':
    case 'precondition':
    case 'unavailable':
    case 'exhausted':
    case 'timeout':
      return growing(OPERATION_BACKOFF, attempts - 1, [seed, String(attempts)]);
  }
}
