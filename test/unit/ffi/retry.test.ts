import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { RACES, type RacingAnswer, type RetriedCall } from '../../../src/ffi/call/races.ts';
import { raceCounts, retried, retriedCall } from '../../../src/ffi/call/retry.ts';

const retriedRows = Object.entries(RACES).flatMap(([call, { answers, retried: bound }]) =>
  bound === null
    ? []
    : [{ call: call as RetriedCall, answers: answers as readonly RacingAnswer[], tries: bound.tries }],
);

/** How often a call is tried that always gives one answer. */
function triesOf(call: RetriedCall, answer: RacingAnswer | null): number {
  let tries = 0;
  retried(
    call,
    () => ++tries,
    () => answer,
  );
  return tries;
}

describe('a call that races', () => {
  it.each(retriedRows)('$call is tried $tries times at most, for its answers only', ({ call, answers, tries }) => {
    for (const answer of answers) {
      expect(triesOf(call, answer)).toBeGreaterThan(1);
      expect(triesOf(call, answer)).toBeLessThanOrEqual(tries);
    }
    for (const other of ['EAGAIN', 'EINTR', 'EBUSY', 'ENOBUFS', 'NLM_F_DUMP_INTR', null] as const) {
      if (other === null || !answers.includes(other)) expect(triesOf(call, other)).toBe(1);
    }
  });

  it('returns the first result that is no race, and counts earlier tries', () => {
    const before = raceCounts().get('openat2') ?? { retried: 0, givenUp: 0 };
    const results = [-constants.errno.EAGAIN, -constants.errno.EINTR, -constants.errno.ENOENT, 7];
    expect(retriedCall('openat2', () => results.shift() ?? 0)).toBe(-constants.errno.ENOENT);
    expect(results).toEqual([7]);
    expect(retriedCall('openat2', () => 5)).toBe(5);
    expect(raceCounts().get('openat2')).toEqual({ retried: before.retried + 2, givenUp: before.givenUp });
  });

  it('fails with the race once its processor time is used up, whatever tries are left', () => {
    const before = raceCounts().get('openat2') ?? { retried: 0, givenUp: 0 };
    let tries = 0;
    const slow = (): number => {
      tries++;
      const { user, system } = process.cpuUsage();
      for (let used = 0; used < 1_500; used = process.cpuUsage().user + process.cpuUsage().system - user - system);
      return -constants.errno.EAGAIN;
    };
    expect(retriedCall('openat2', slow)).toBe(-constants.errno.EAGAIN);
    expect(tries).toBeLessThan(RACES.openat2.retried.tries);
    expect(raceCounts().get('openat2')?.givenUp).toBe(before.givenUp + 1);
  });

  it('is never a process limit, nor a mount or directory in use', () => {
    for (const call of ['clone3, posix_spawn, execve', 'umount2, rmdir'] as const)
      expect(RACES[call].retried).toBeNull();
  });
});
