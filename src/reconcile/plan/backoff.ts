import type { ErrorClass } from '../../model/errors/error-class.ts';
import type { BackoffSpec } from '../../model/kinds/short-forms.ts';
import { fraction } from './order/mint.ts';

/** The delays between restarts of a container. */
export interface BackoffCurve {
  /** The first retry comes at once, and `initialMs` is the delay of the second. */
  readonly firstAtOnce: boolean;
  readonly initialMs: number;
  readonly factor: number;
  readonly maxMs: number;
  /** Delays vary by ± this share, so that many containers do not restart in step. */
  readonly jitter: number;
  /** A run of at least this length resets the back-off. */
  readonly resetAfterMs: number;
  /** With probes, a run of this length after readiness resets the back-off instead; null: its total length counts. */
  readonly resetAfterReadyMs: number | null;
  /** Delay after an exit with 0 under `always`, without growth; null: like any other exit. */
  readonly cleanExitMs: number | null;
}

const JITTER = 0.2;

const PRESETS: Readonly<Record<BackoffSpec['preset'], BackoffCurve>> = {
  /** The default: a first retry at once, then doubled up to a minute. */
  tsdocker: {
    firstAtOnce: true,
    initialMs: 500,
    factor: 2,
    maxMs: 60_000,
    jitter: JITTER,
    resetAfterMs: 10_000,
    resetAfterReadyMs: 60_000,
    cleanExitMs: 1_000,
  },
  /** moby, daemon/internal/restartmanager/restartmanager.go. */
  docker: {
    firstAtOnce: false,
    initialMs: 100,
    factor: 2,
    maxMs: 60_000,
    jitter: 0,
    resetAfterMs: 10_000,
    resetAfterReadyMs: null,
    cleanExitMs: null,
  },
  /** kubernetes, pkg/kubelet/kubelet.go and client-go/util/flowcontrol/backoff.go: from the start after twice the longest delay. */
  kubelet: {
    firstAtOnce: true,
    initialMs: 10_000,
    factor: 2,
    maxMs: 300_000,
    jitter: 0,
    resetAfterMs: 600_000,
    resetAfterReadyMs: null,
    cleanExitMs: null,
  },
};

/** Returns the preset with the overrides of the manifest. */
export function backoffCurve(spec: BackoffSpec | null | undefined): BackoffCurve {
  if (!spec) return PRESETS.tsdocker;
  const preset = PRESETS[spec.preset];
  const maxMs = spec.maxMs ?? Math.max(preset.maxMs, spec.initialMs ?? 0);
  const twice = spec.preset === 'kubelet' ? 2 * maxMs : preset.resetAfterMs;
  return {
    ...preset,
    initialMs: Math.min(maxMs, spec.initialMs ?? preset.initialMs),
    factor: spec.factor ?? preset.factor,
    maxMs,
    resetAfterMs: spec.resetAfterMs ?? twice,
    resetAfterReadyMs: preset.resetAfterReadyMs === null ? null : (spec.resetAfterMs ?? preset.resetAfterReadyMs),
  };
}

const OPERATION_BACKOFF = { initialMs: 500, maxMs: 60_000, factor: 2, jitter: JITTER } as const;
/** Missing rights rarely appear without a change, so the delay starts long. */
const DENIED_BACKOFF = { initialMs: 30_000, maxMs: 600_000, factor: 2, jitter: JITTER } as const;

type Growth = Pick<BackoffCurve, 'initialMs' | 'maxMs' | 'factor' | 'jitter'>;

function growing({ initialMs, maxMs, factor, jitter }: Growth, steps: number, jitterParts: readonly string[]): number {
  const spread = 1 + jitter * (2 * fraction(...jitterParts) - 1);
  return Math.min(maxMs, Math.round(initialMs * factor ** steps * spread));
}

/**
 * Returns the delay in ms before a restart.
 * @param quickFailures quick failures in a row before the one that just happened
 */
export function restartDelay(curve: BackoffCurve, quickFailures: number, seed: string, containerId: string): number {
  const steps = curve.firstAtOnce ? quickFailures - 1 : quickFailures;
  return steps < 0 ? 0 : growing(curve, steps, [seed, containerId, String(quickFailures)]);
}

/**
 * Returns the delay in ms before a failed op is retried; null: only a change or an approval retries it. The class of the
 * error selects the curve.
 * @param attempts failures so far, at least 1
 * @param seed of the jitter; the key, so that keys spread
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
