/** Whether the container that an update started has proved itself. Pure. */
import type { Instant } from '../../model/clock.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ObservedContainer, OpFailure } from '../../model/observed.ts';
import { type ObservedUpdate, sameVersion } from '../../model/update.ts';
import { isDone, isReady } from './readiness.ts';
import { describeExit, OWN_FAILURES } from './restart.ts';

/** A container without a probe counts as ready when it ran this long. */
export const SETTLE_MS = 2_000;

export type Verdict =
  | { readonly is: 'ready'; readonly message: string }
  | { readonly is: 'failed'; readonly message: string }
  /** Boot clock, when to look again; null waits for an event. */
  | { readonly is: 'waiting'; readonly untilBootMs: number | null };

export interface VerdictInput {
  /** The container under test; undefined while it is not made. */
  readonly candidate: ObservedContainer | undefined;
  readonly update: ObservedUpdate;
  readonly spec: ContainerSpec;
  readonly failure: OpFailure | undefined;
  readonly now: Instant;
}

export function isAt(candidate: ObservedContainer | undefined, { to }: Pick<ObservedUpdate, 'to'>): boolean {
  return candidate !== undefined && sameVersion(candidate, to);
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** An end of this update's run; one that nobody saw says nothing. */
function judgeExit(
  candidate: ObservedContainer,
  { startedAtBootMs }: ObservedUpdate,
  spec: ContainerSpec,
): Verdict | null {
  const { exit, running, startError, restartRequested } = candidate;
  if (running || exit === null || startError !== null || restartRequested || exit.code === null) return null;
  if (exit.finishedAtBootMs === null || exit.finishedAtBootMs < startedAtBootMs) return null;
  // What is meant to run on has not shown that it does, however it ended.
  if (isDone(candidate, spec)) return { is: 'ready', message: 'it ended with 0' };
  return { is: 'failed', message: `${describeExit(exit)} after ${seconds(exit.ranForMs)}` };
}

function judgeRun({ candidate, update, spec, now }: VerdictInput): Verdict | null {
  if (!candidate || !isAt(candidate, update)) return null;
  const { startError } = candidate;
  if (startError !== null && OWN_FAILURES.has(startError.class)) return { is: 'failed', message: startError.message };
  const ended = judgeExit(candidate, update, spec);
  if (ended || !candidate.running || candidate.startedAtBootMs === null) return ended;
  const { health } = candidate;
  if (health?.state === 'unhealthy') return { is: 'failed', message: `unhealthy: ${health.message}` };
  if (!isReady(candidate, spec)) return null;
  if (health) return { is: 'ready', message: 'its probe passes' };
  const readyAt = candidate.startedAtBootMs + SETTLE_MS;
  if (now.bootMs >= readyAt) return { is: 'ready', message: `it has been running for ${seconds(SETTLE_MS)}` };
  return { is: 'waiting', untilBootMs: readyAt };
}

/** What its probes found last; empty where nothing is known. */
function unreadyBecause({ candidate, update }: VerdictInput): string {
  if (!candidate?.running || !isAt(candidate, update)) return candidate?.startError?.message ?? '';
  return candidate.health?.message ?? '';
}

export function judge(input: VerdictInput): Verdict {
  const { update, spec, failure, now } = input;
  const verdict = judgeRun(input);
  if (verdict && verdict.is !== 'waiting') return verdict;
  // After the cut-over it has been ready once: only an end takes that back.
  if (update.cutOverAtBootMs !== null) return { is: 'waiting', untilBootMs: null };
  if (failure?.retryAtBootMs === null) return { is: 'failed', message: failure.message };
  const deadline = update.timeFromBootMs + spec.update.timeoutMs;
  if (now.bootMs >= deadline) {
    const why = failure?.message ?? unreadyBecause(input);
    const after = why === '' ? '' : `: ${why}`;
    return { is: 'failed', message: `not ready within ${seconds(spec.update.timeoutMs)}${after}` };
  }
  return { is: 'waiting', untilBootMs: Math.min(deadline, verdict?.untilBootMs ?? deadline) };
}
