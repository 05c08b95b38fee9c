/** Whether the container that an update started has proved itself. Pure. */
import type { Instant } from '../../model/clock.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ObservedContainer, OpFailure } from '../../model/observed.ts';
import { type ObservedUpdate, sameVersion } from '../../model/update.ts';
import { judgeRun, seconds, settleOf } from './run-verdict.ts';

export type Verdict =
  | { readonly is: 'ready'; readonly message: string }
  | { readonly is: 'failed'; readonly message: string; readonly hint?: string | undefined }
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

/** The loop looks at each end before another run begins, so that none is missed. */
function judgeCandidate({ candidate, update, spec, failure, now }: VerdictInput): Verdict | null {
  if (!candidate || !isAt(candidate, update)) return null;
  const { health, running } = candidate;
  if (running && health?.state === 'unhealthy') return { is: 'failed', message: `unhealthy: ${health.message}` };
  const verdict = judgeRun({
    container: candidate,
    spec,
    // An update of a long job has not failed because the job takes longer than an update may.
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

/** What its probes found last; empty where nothing is known. */
function unreadyBecause({ candidate, update }: VerdictInput): string {
  if (!candidate?.running || !isAt(candidate, update)) return candidate?.startError?.message ?? '';
  return candidate.health?.message ?? '';
}

export function judge(input: VerdictInput): Verdict {
  const { update, spec, failure, now } = input;
  const verdict = judgeCandidate(input);
  if (verdict && verdict.is !== 'waiting') return verdict;
  // After the cut-over it has been ready once: only an end takes that back.
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
