import { describe, expect, test } from 'vitest';
import { bootTimeOfEnd, bootTimeOfLaunch, bootTimeOfStart, stateOfUnseenStart } from '../../../src/reconcile/exits.ts';
import { NEVER_RUN, type RunHandle } from '../../../src/state/containers/container-record.ts';

const HANDLE: RunHandle = {
  containerId: 'web',
  run: 3,
  bootId: 'boot',
  driverState: { ShimPid: 1, ShimStartTime: '1' },
  pid: 2,
  startTime: '2',
  startedAtMs: 1_000_000,
};
const BEGUN = { at: '2026-01-02T03:04:05Z', bootId: 'boot', atBootMs: 50_000 };
const STATE = { ...NEVER_RUN, status: 'running', bootId: 'boot', startedAtBootMs: 40_000 } as const;

describe('the start time of an adopted run', () => {
  test('is the recorded one, although the wall clock was set back since', () => {
    const now = { wallMs: HANDLE.startedAtMs - 86_400_000, bootMs: 60_000 };
    expect(bootTimeOfStart({ handle: HANDLE, state: STATE, begunAt: null }, HANDLE, now)).toBe(40_000);
  });

  test('is computed from the wall clock when only an earlier run was recorded', () => {
    const now = { wallMs: HANDLE.startedAtMs + 5_000, bootMs: 60_000 };
    const unseen = { state: STATE, begunAt: null };
    expect(bootTimeOfStart({ handle: { ...HANDLE, run: 2 }, ...unseen }, HANDLE, now)).toBe(55_000);
    expect(bootTimeOfStart({ handle: null, ...unseen }, HANDLE, now)).toBe(55_000);
  });

  test('is the begin of the run, however often the wall clock is set and whoever asks', () => {
    for (const wallMs of [-60_000, 0, 5_000]) {
      const now = { wallMs: HANDLE.startedAtMs + wallMs, bootMs: 70_000 };
      expect(bootTimeOfStart({ handle: null, state: STATE, begunAt: BEGUN }, HANDLE, now)).toBe(50_000);
      expect(bootTimeOfLaunch(BEGUN, HANDLE, now)).toBe(wallMs === 5_000 ? 65_000 : 70_000);
    }
    const forward = { wallMs: HANDLE.startedAtMs + 86_400_000, bootMs: 70_000 };
    expect(bootTimeOfLaunch(BEGUN, HANDLE, forward)).toBe(50_000);
  });

  test('is not before the begin of the run, although the wall clock was set forward since', () => {
    const now = { wallMs: HANDLE.startedAtMs + 86_400_000, bootMs: 60_000 };
    expect(bootTimeOfStart({ handle: null, state: STATE, begunAt: BEGUN }, HANDLE, now)).toBe(50_000);
    const ofAnotherBoot = { ...BEGUN, bootId: 'earlier' };
    expect(bootTimeOfStart({ handle: null, state: STATE, begunAt: ofAnotherBoot }, HANDLE, now)).toBe(0);
  });
});

describe('a run without a recorded start', () => {
  test('ended in this boot when it began in it, whatever the earlier run did', () => {
    const state = stateOfUnseenStart({ state: { ...STATE, bootId: 'earlier' }, begunAt: BEGUN });
    const now = { wallMs: 2_000_000, bootMs: 60_000 };
    expect(bootTimeOfEnd(state, 1_993_000, now, 'boot')).toBe(53_000);
    expect(bootTimeOfEnd(state, 1_000_000, now, 'boot')).toBe(50_000);
    expect(bootTimeOfEnd(state, 1_993_000, now, 'later')).toBeNull();
    expect(state.startedAt).toBe(BEGUN.at);
  });

  test('has no start time without a recorded begin', () => {
    expect(stateOfUnseenStart({ state: STATE, begunAt: null })).toMatchObject({
      startedAt: null,
      startedAtBootMs: null,
    });
  });
});
