/** Decides which keys are requeued, when, and why. Pure. */
import type { ErrorClass } from '../../model/errors/error-class.ts';
import type { OpFailure } from '../../model/observed.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { HOLD_TRAITS } from '../../model/status/holds.ts';
import { baseKey } from '../../model/update.ts';
import type { Hold } from '../op.ts';
import { retryDelay } from './backoff.ts';

/** A plan left keys on hold, or a defect parked a key. */
interface Held {
  readonly type: 'held';
  readonly holds: Iterable<Hold>;
}

/** All ops in flight of a key have ended. */
interface Ended {
  readonly type: 'ended';
  readonly key: ResourceKey;
  readonly failed: boolean;
  /** True when at least one op ran. */
  readonly acted: boolean;
  /** True when the key was enqueued meanwhile. */
  readonly stirred: boolean;
  /** Retry time of the failure recorded just now; null when it is not retried, or none was recorded. */
  readonly retryAtBootMs: number | null;
  /** The recorded failure of the key. */
  readonly failure: OpFailure | undefined;
  /** Keys that depend on this one. */
  readonly users: ReadonlySet<ResourceKey>;
  /** All current holds. */
  readonly holds: Iterable<Hold>;
}

/** The observation of the host failed. */
interface Blind {
  readonly type: 'blind';
  /** Keys of the pass; null for all. */
  readonly keys: readonly ResourceKey[] | null;
  readonly errorClass: ErrorClass;
  /** Failed observations in a row, at least 1. */
  readonly times: number;
  /** Seed of the jitter. */
  readonly seed: string;
  /** Interval of full passes. */
  readonly resyncMs: number;
}

export type Occasion = Held | Ended | Blind;

export interface Requeue {
  /** The key; null for a full pass. */
  readonly key: ResourceKey | null;
  /** Time on the boot clock. Null: now, or after the key's ops in flight. */
  readonly atBootMs: number | null;
  readonly why:
    | 'its hold is over'
    | 'it changed meanwhile'
    | 'it failed'
    | 'to see that nothing is left to do'
    | 'what it waits for changed'
    | 'what it waits for failed'
    | 'the host could not be looked at';
}

/**
 * Delay before a key is verified after its ops. No caller waits for that pass, so keys that end shortly after each other
 * share one.
 */
const VERIFY_AFTER_MS = 20;

/** Returns the requeues for an occasion. A key may have several; the queue keeps the earliest. */
export function requeues(occasion: Occasion, nowBootMs: number): Requeue[] {
  switch (occasion.type) {
    case 'held':
      return [...occasion.holds].flatMap(({ key, untilBootMs }) =>
        untilBootMs === null ? [] : [{ key, atBootMs: untilBootMs, why: 'its hold is over' }],
      );
    case 'ended':
      return [ownLook(occasion, nowBootMs), ...dependentLooks(occasion, nowBootMs)];
    case 'blind':
      return blindLooks(occasion, nowBootMs);
  }
}

/** Requeues all keys at the same time: nothing is known about any of them. */
function blindLooks({ keys, errorClass, times, seed, resyncMs }: Blind, nowBootMs: number): Requeue[] {
  const atBootMs = nowBootMs + (retryDelay(errorClass, times, seed) ?? resyncMs);
  return (keys ?? [null]).map((key) => ({ key, atBootMs, why: 'the host could not be looked at' }));
}

/** Requeues the key itself: now when it was enqueued meanwhile and no op failed, else for verification or retry. */
function ownLook(ended: Ended, nowBootMs: number): Requeue {
  const key = baseKey(ended.key);
  if (!ended.failed && ended.stirred) return { key, atBootMs: nowBootMs, why: 'it changed meanwhile' };
  const verifyAt = nowBootMs + Math.max(VERIFY_AFTER_MS, pauseAfter(ended));
  return ended.retryAtBootMs !== null && ended.retryAtBootMs < verifyAt
    ? { key, atBootMs: ended.retryAtBootMs, why: 'it failed' }
    : { key, atBootMs: verifyAt, why: 'to see that nothing is left to do' };
}

/** Returns the delay for a key that failed for good and is planned nevertheless. */
function pauseAfter({ key, failed, failure }: Ended): number {
  if (!failed || !failure || failure.retryAtBootMs !== null || failure.attempts === 1) return 0;
  return retryDelay('unavailable', failure.attempts, key) ?? 0;
}

/** Requeues dependents: now after a change, later after a failure, which would otherwise loop without a pause. */
function dependentLooks({ failed, acted, users, holds }: Ended, nowBootMs: number): Requeue[] {
  const changed = acted && !failed;
  const atBootMs = changed ? null : nowBootMs + VERIFY_AFTER_MS;
  const why = changed ? 'what it waits for changed' : 'what it waits for failed';
  return [...holds].flatMap(({ key, reason }) => {
    // Networks, volumes and images to remove wait for containers that are not among the users any more.
    const waits = HOLD_TRAITS[reason].waitsFor !== null && (users.has(key) || !key.startsWith('container/'));
    // A dependent may have failed because this key was not ready.
    const retries = HOLD_TRAITS[reason].failure === 'retried' && acted && users.has(key);
    return waits || retries ? [{ key, atBootMs, why }] : [];
  });
}
