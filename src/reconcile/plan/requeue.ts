/** The one place that decides which keys are looked at again, when, and why. Pure. */
import type { ErrorClass } from '../../model/error-class.ts';
import type { OpFailure } from '../../model/observed.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { baseKey } from '../../model/update.ts';
import type { Hold } from '../op.ts';
import { retryDelay } from './backoff.ts';

/** A plan was made, or could not be made for a defect: some keys stay as they are. */
interface Held {
  readonly type: 'held';
  readonly holds: Iterable<Hold>;
}

/** All ops of a key that were in flight have ended. */
interface Ended {
  readonly type: 'ended';
  readonly key: ResourceKey;
  readonly failed: boolean;
  /** At least one op was carried out. */
  readonly acted: boolean;
  /** Something happened to the key meanwhile. */
  readonly stirred: boolean;
  /** When the failure that was just recorded is to be tried again; null where it is not, or where none was recorded. */
  readonly retryAtBootMs: number | null;
  /** What stands recorded of the key. */
  readonly failure: OpFailure | undefined;
  /** Keys that need this one. */
  readonly users: ReadonlySet<ResourceKey>;
  /** All present ones. */
  readonly holds: Iterable<Hold>;
}

/** The host could not be looked at. */
interface Blind {
  readonly type: 'blind';
  /** Null for everything. */
  readonly keys: readonly ResourceKey[] | null;
  readonly errorClass: ErrorClass;
  /** Failed looks in a row, at least 1. */
  readonly times: number;
  /** Makes the jitter. */
  readonly seed: string;
  /** How often everything is looked at without being asked. */
  readonly resyncMs: number;
}

export type Occasion = Held | Ended | Blind;

export interface Requeue {
  /** Null for everything. */
  readonly key: ResourceKey | null;
  /** On the boot clock. Null: at once, or when the ops of the key that are in flight have ended. */
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
 * After ops of a key it is looked at once more, to see that nothing is left to do. No caller waits for that, so keys that
 * end one after the other share a look.
 */
const VERIFY_AFTER_MS = 20;

/** Holds that may end when something else is done. */
const WAITING: ReadonlySet<Hold['reason']> = new Set(['dependency-not-ready', 'busy']);

/** At most one entry for each key and reason; the earliest of a key counts. */
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

/** Nothing is known about the keys, so all wait the same time. */
function blindLooks({ keys, errorClass, times, seed, resyncMs }: Blind, nowBootMs: number): Requeue[] {
  const atBootMs = nowBootMs + (retryDelay(errorClass, times, seed) ?? resyncMs);
  return (keys ?? [null]).map((key) => ({ key, atBootMs, why: 'the host could not be looked at' }));
}

/** At once only when something happened: after ops that failed or were skipped all may be the same again. */
function ownLook(ended: Ended, nowBootMs: number): Requeue {
  const key = baseKey(ended.key);
  if (!ended.failed && ended.stirred) return { key, atBootMs: nowBootMs, why: 'it changed meanwhile' };
  const verifyAt = nowBootMs + Math.max(VERIFY_AFTER_MS, pauseAfter(ended));
  return ended.retryAtBootMs !== null && ended.retryAtBootMs < verifyAt
    ? { key, atBootMs: ended.retryAtBootMs, why: 'it failed' }
    : { key, atBootMs: verifyAt, why: 'to see that nothing is left to do' };
}

/** For what fails for good, and is planned all the same. */
function pauseAfter({ key, failed, failure }: Ended): number {
  if (!failed || !failure || failure.retryAtBootMs !== null || failure.attempts === 1) return 0;
  return retryDelay('unavailable', failure.attempts, key) ?? 0;
}

/** Those that wait for what was skipped or failed would bring it back at once, and so on for ever: they are looked at later. */
function dependentLooks({ failed, acted, users, holds }: Ended, nowBootMs: number): Requeue[] {
  const changed = acted && !failed;
  const atBootMs = changed ? null : nowBootMs + VERIFY_AFTER_MS;
  const why = changed ? 'what it waits for changed' : 'what it waits for failed';
  return [...holds].flatMap(({ key, reason }) => {
    // Networks, volumes and images that are to go wait for containers that do not need them any more.
    const waits = WAITING.has(reason) && (users.has(key) || !key.startsWith('container/'));
    // A user that failed may have failed because this one was not there.
    const retries = reason === 'backing-off' && acted && users.has(key);
    return waits || retries ? [{ key, atBootMs, why }] : [];
  });
}
