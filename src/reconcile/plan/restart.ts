import type { Instant } from '../../model/clock.ts';
import { OWN_FAILURES } from '../../model/errors/error-class.ts';
import { describeEnd } from '../../model/errors/exit-words.ts';
import type { ObservedHealth } from '../../model/health.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ObservedContainer, ObservedExit, RestartCounters } from '../../model/observed.ts';
import { restartsAfter } from '../../model/restart-policy.ts';
import { type BackoffCurve, backoffCurve, restartDelay } from './backoff.ts';

export type RestartPolicy = ContainerSpec['restart'];

/** What follows the end of a run. */
export type RestartDecision =
  /** Start now; the counters are those of the new run. */
  | { readonly next: 'start'; readonly counters: RestartCounters; readonly message: string }
  | { readonly next: 'wait'; readonly untilBootMs: number; readonly message: string }
  /** The policy asks for no restart. */
  | { readonly next: 'finished'; readonly message: string }
  /** on-failure:N has no restart left. */
  | { readonly next: 'exhausted'; readonly message: string };

export interface RestartInput {
  readonly policy: RestartPolicy;
  readonly exit: ObservedExit;
  readonly counters: RestartCounters;
  readonly containerId: string;
  /** Of the run that ended; null without probes. */
  readonly health: ObservedHealth | null;
  /** When the last of its dependencies became ready, on the boot clock; null without dependencies. */
  readonly dependencyUpAtBootMs: number | null;
  readonly now: Instant;
  readonly seed: string;
}

export function describeExit({ code, oomKilled }: Pick<ObservedExit, 'code' | 'oomKilled'>): string {
  return describeEnd(code, oomKilled);
}

/** Returns the text of a manual stop in force: `stopped until 2026-01-02T03:04:05Z, ...`. */
export function describeStop({ stopUntil, leftDown }: Pick<ObservedContainer, 'stopUntil' | 'leftDown'>): string {
  if (leftDown) return 'not started with the supervisor (--restart=false), until `tsdocker start` or a changed spec';
  const end = stopUntil ? `${new Date(stopUntil.wallMs).toISOString().replace(/\.\d+/, '')}, ` : '';
  return `stopped until ${end}\`tsdocker start\` or a changed spec`;
}

function formatDelay(ms: number): string {
  return ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`;
}

/** Reports whether the run was long enough to reset the back-off: in total without probes, since readiness with them. */
function workedLong({ exit, health }: RestartInput, { resetAfterMs, resetAfterReadyMs }: BackoffCurve): boolean {
  if (health === null || resetAfterReadyMs === null) return exit.ranForMs >= resetAfterMs;
  if (health.firstReadyAtBootMs === null || exit.finishedAtBootMs === null) return false;
  return exit.finishedAtBootMs - health.firstReadyAtBootMs >= resetAfterReadyMs;
}

/** Returns the quick failures in a row before this one. A long run, a reboot or a recovered dependency resets the count. */
function quickFailures(input: RestartInput, curve: BackoffCurve): number {
  const { exit, counters, dependencyUpAtBootMs } = input;
  if (workedLong(input, curve) || exit.finishedAtBootMs === null) return 0;
  if (dependencyUpAtBootMs !== null && dependencyUpAtBootMs > exit.finishedAtBootMs) return 0;
  return counters.consecutive;
}

/** Applies a restart policy to the end of a run. The caller has excluded a manual stop. */
export function decideRestart(input: RestartInput): RestartDecision {
  const { policy, exit, counters, health } = input;
  const unhealthy = policy.policy !== 'no' && health?.state === 'unhealthy';
  const ended = unhealthy ? `unhealthy: ${health.message}` : describeExit(exit);
  if (!restartsAfter(policy.policy, unhealthy || exit.code !== 0))
    return { next: 'finished', message: `${ended}, restart policy ${policy.policy}` };
  if (policy.policy === 'on-failure' && policy.max > 0 && counters.restarts >= policy.max) {
    return { next: 'exhausted', message: `${ended}, all ${policy.max} restarts used` };
  }

  const clean = exit.code === 0 && !unhealthy;
  const curve = backoffCurve(policy.backoff);
  const failures = quickFailures(input, curve);
  const flat = clean ? curve.cleanExitMs : null;
  const delay = flat ?? restartDelay(curve, failures, input.seed, input.containerId);
  const restarts = counters.restarts + 1;
  const dueAt = exit.finishedAtBootMs === null ? input.now.bootMs : exit.finishedAtBootMs + delay;
  if (dueAt > input.now.bootMs) {
    return { next: 'wait', untilBootMs: dueAt, message: `${ended}, restart ${restarts} after ${formatDelay(delay)}` };
  }
  return {
    next: 'start',
    counters: { restarts, consecutive: flat === null ? failures + 1 : 0 },
    message: `${ended}, restart ${restarts}`,
  };
}

type FailedStart = Pick<RestartInput, 'policy' | 'counters'> & {
  readonly error: NonNullable<ObservedContainer['startError']>;
};

/**
 * Decides after a failed start. The start stays due under every policy. Under `on-failure:N` a failure by the container's
 * own fault uses one of the N restarts.
 */
export function decideFailedStart({
  policy,
  counters,
  error,
}: FailedStart): Extract<RestartDecision, { next: 'start' | 'exhausted' }> {
  const failed = `start failed: ${error.message}`;
  const counts = policy.policy === 'on-failure' && policy.max > 0 && OWN_FAILURES.has(error.class);
  if (!counts) return { next: 'start', counters, message: failed };
  if (counters.restarts >= policy.max) {
    return { next: 'exhausted', message: `${failed}, all ${policy.max} restarts used` };
  }
  return { next: 'start', counters: { ...counters, restarts: counters.restarts + 1 }, message: failed };
}

/** Reports whether the policy has a restart left after such an end. */
export function mayRestart({ policy, max }: RestartPolicy, failed: boolean, { restarts }: RestartCounters): boolean {
  return restartsAfter(policy, failed) && !(policy === 'on-failure' && max > 0 && restarts >= max);
}
