import { expect, test } from 'vitest';
import { mayComplete, restartsAfter } from '../../../src/model/restart-policy.ts';

test.each([
  ['no', false, false, true],
  ['on-failure', false, true, true],
  ['always', true, true, false],
  ['unless-stopped', true, true, false],
] as const)(
  '%s restarts after success: %s, after failure: %s; can complete: %s',
  (policy, success, failure, completes) => {
    expect([restartsAfter(policy, false), restartsAfter(policy, true)]).toEqual([success, failure]);
    expect(mayComplete(policy)).toBe(completes);
  },
);
