import { expect, test } from 'vitest';
import type { OpFailure } from '../../../src/model/observed.ts';
import type { Hold } from '../../../src/reconcile/op.ts';
import { retryDelay } from '../../../src/reconcile/plan/backoff.ts';
import { type Occasion, type Requeue, requeues } from '../../../src/reconcile/plan/requeue.ts';

const NOW = 1000;
const WEB = 'container/blog/web';
const DB = 'container/blog/db';
const BACK = 'network/blog/back';

type Ended = Extract<Occasion, { type: 'ended' }>;

const DONE: Ended = {
  type: 'ended',
  key: DB,
  failed: false,
  acted: true,
  stirred: false,
  retryAtBootMs: null,
  failure: undefined,
  users: new Set([WEB]),
  holds: [],
};

const hold = (key: Hold['key'], reason: Hold['reason'], untilBootMs: number | null = null): Hold => ({
  key,
  reason,
  message: reason,
  untilBootMs,
});

/** A failure that is not tried again before its declaration changes. */
const forGood = (attempts: number): OpFailure => ({
  class: 'invalid',
  message: 'no',
  specHash: 'a',
  attempts,
  retryAtBootMs: null,
});

const verified: Requeue = { key: DB, atBootMs: 1020, why: 'to see that nothing is left to do' };

const TABLE: readonly [when: string, occasion: Occasion, looked: readonly Requeue[]][] = [
  ['nothing is held', { type: 'held', holds: [] }, []],
  ['a hold has no end of its own', { type: 'held', holds: [hold(WEB, 'dependency-not-ready')] }, []],
  [
    'a hold ends at a time',
    { type: 'held', holds: [hold(WEB, 'backing-off', 4000), hold(DB, 'stopped-by-user')] },
    [{ key: WEB, atBootMs: 4000, why: 'its hold is over' }],
  ],
  ['its ops succeeded', DONE, [verified]],
  [
    'its ops succeeded, and something happened to it meanwhile',
    { ...DONE, stirred: true },
    [{ key: DB, atBootMs: NOW, why: 'it changed meanwhile' }],
  ],
  ['its ops failed, and something happened to it meanwhile', { ...DONE, failed: true, stirred: true }, [verified]],
  [
    'its ops failed and may be tried again at once',
    { ...DONE, failed: true, retryAtBootMs: NOW },
    [{ key: DB, atBootMs: NOW, why: 'it failed' }],
  ],
  ['its ops failed and are tried again later', { ...DONE, failed: true, retryAtBootMs: 60_000 }, [verified]],
  ['its ops failed for good', { ...DONE, failed: true, failure: forGood(1) }, [verified]],
  [
    'its ops fail for good over and over',
    { ...DONE, failed: true, failure: forGood(4) },
    [{ ...verified, atBootMs: NOW + (retryDelay('unavailable', 4, DB) ?? 0) }],
  ],
  ['ops of a successor ended', { ...DONE, key: `${DB}.next` }, [verified]],
  [
    'a user waits for what was done',
    { ...DONE, holds: [hold(WEB, 'dependency-not-ready')] },
    [verified, { key: WEB, atBootMs: null, why: 'what it waits for changed' }],
  ],
  [
    'a user that waits for it could not have it',
    { ...DONE, failed: true, holds: [hold(WEB, 'busy')] },
    [verified, { key: WEB, atBootMs: 1020, why: 'what it waits for failed' }],
  ],
  [
    'a user waits for what was skipped',
    { ...DONE, acted: false, holds: [hold(WEB, 'busy')] },
    [verified, { key: WEB, atBootMs: 1020, why: 'what it waits for failed' }],
  ],
  [
    'a user backs off that may have failed without it',
    { ...DONE, holds: [hold(WEB, 'backing-off', 9000)] },
    [verified, { key: WEB, atBootMs: null, why: 'what it waits for changed' }],
  ],
  [
    'a user backs off and nothing was done',
    { ...DONE, acted: false, holds: [hold(WEB, 'backing-off', 9000)] },
    [verified],
  ],
  ['another container waits for something else', { ...DONE, users: new Set(), holds: [hold(WEB, 'busy')] }, [verified]],
  ['a user is held for a reason of its own', { ...DONE, holds: [hold(WEB, 'stopped-by-user')] }, [verified]],
  [
    'a network that is to go waits for its last container',
    { ...DONE, users: new Set(), holds: [hold(BACK, 'dependency-not-ready')] },
    [verified, { key: BACK, atBootMs: null, why: 'what it waits for changed' }],
  ],
  [
    'the host could not be looked at for two keys',
    { type: 'blind', keys: [WEB, DB], errorClass: 'unavailable', times: 3, seed: 's', resyncMs: 30_000 },
    [WEB, DB].map((key) => ({
      key: key as typeof WEB,
      atBootMs: NOW + (retryDelay('unavailable', 3, 's') ?? 0),
      why: 'the host could not be looked at',
    })),
  ],
  [
    'nothing at all could be looked at, for a reason that does not go by itself',
    { type: 'blind', keys: null, errorClass: 'unsupported', times: 1, seed: 's', resyncMs: 30_000 },
    [{ key: null, atBootMs: NOW + 30_000, why: 'the host could not be looked at' }],
  ],
];

test.each(TABLE)('when %s', (_, occasion, looked) => {
  expect(requeues(occasion, NOW)).toEqual(looked);
});
