/** Judges the container that an update started. Pure. */
import type { Instant } from '../../model/clock.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ObservedContainer, OpFailure } from '../../model/observed.ts';
import { type ObservedUpdate, sameVersion } from '../../model/update.ts';
import { judgeRun, seconds, settleOf } from './run-verdict.ts';

export type Verdict =
  | { readonly is: 'ready'; readonly message: string }
  | { readonly is: 'failed'; readonly message: string; readonly hint?: string | undefined }
  /** Time of the next look on the boot clock; null waits for an event. */
  | { readonly is: 'waiting'; readonly untilBootMs: number | null };

export interface VerdictInput {
  /** The container to judge; undefined before it is created. */
  readonly candidate: ObservedContainer | undefined;
  readonly update: ObservedUpdate;
  readonly spec: ContainerSpec;
  readonly failure: OpFailure | undefined;
  readonly now: Instant;
}

export function isAt(candidate: ObservedContainer | undefined, { to }: Pick<ObservedUpdate, 'to'>): boolean {
  return candidate !== undefined && sameVersion(candidate, to);
}

/** Judges the current run. A pass sees every exit before the next run begins, so none is missed. */
function judgeCandidate({ candidate, update, spec, failure, now }: VerdictInput): Verdict | null {
  if (!candidate || !isAt(candidate, update)) return null;
  const { health, running } = candidate;
  if (running && health?.state === 'unhealthy') return { is: 'failed', message: `unhealthy: ${health.message}` };
  const verdict = judgeRun({
    container: candidate,
    spec,
    // A long job may run longer than the update timeout.
    awaited: false,
    settleMs: settleOf(spec),
    sinceBootMs: update.startedAtBootMs,
    ended: null,
    now,
  });
  if (verdict.is === 'completed') return { is: 'ready', message: `it completed: ${verdict.message}` };
  if (verdict.is === 'unstartable') return { is: 'failed', message: verdict.message, hint: failure?.hint };
  if (verdict.is === 'waiting') return { is: 'waiting', untilBootMs: verdict.untilBootMs };
  return { is: verdict.is, message: verdict.message };
}

/** Returns the last probe or start error message; empty when there is none. */
function unreadyBecause({ candidate, update }: VerdictInput): string {
  if (!candidate?.running || !isAt(candidate, update)) return candidate?.startError?.message ?? '';
  return candidate.health?.message ?? '';
}

export function judge(input: VerdictInput): Verdict {
  const { update, spec, failure, now } = input;
  const verdict = judgeCandidate(input);
  if (verdict && verdict.is !== 'waiting') return verdict;
  // After the cut-over it has been ready: only an exit counts as a failure.
  if (update.cutOverAtBootMs !== null) return { is: 'waiting', untilBootMs: null };
  if (failure?.retryAtBootMs === null) return { is: 'failed', message: failure.message, hint: failure.hint };
  const deadline = update.timeFromBootMs + spec.update.timeoutMs;
  if (now.bootMs >= deadline) {
    const why = failure?.message ?? unreadyBecause(input);
    const after = why === '' ? '' : `: ${why}`;
    return { is: 'failed', message: `not ready within ${seconds(spec.update.timeoutMs)}${after}`, hint: failure?.hint };
  }
  return { is: 'waiting', untilBootMs: Math.min(deadline, verdict?.untilBootMs ?? deadline) };
}
