import { describe, expect, test } from 'vitest';
import { bootTimeOfStart } from '../../../src/reconcile/exits.ts';
import { NEVER_RUN, type RunHandle } from '../../../src/state/container-record.ts';

const HANDLE: RunHandle = {
  containerId: 'web',
  run: 3,
  bootId: 'boot',
  shimPid: 1,
  shimStartTime: '1',
  pid: 2,
  startTime: '2',
  startedAtMs: 1_000_000,
};
const STATE = { ...NEVER_RUN, status: 'running', bootId: 'boot', startedAtBootMs: 40_000 } as const;

describe('the start of a run that a new supervisor takes over', () => {
  test('is what was recorded, although the wall clock was set back since', () => {
    const now = { wallMs: HANDLE.startedAtMs - 86_400_000, bootMs: 60_000 };
    expect(bootTimeOfStart({ handle: HANDLE, state: STATE }, HANDLE, now)).toBe(40_000);
  });

  test('follows from the wall clock when only an earlier run was recorded', () => {
    const now = { wallMs: HANDLE.startedAtMs + 5_000, bootMs: 60_000 };
    expect(bootTimeOfStart({ handle: { ...HANDLE, run: 2 }, state: STATE }, HANDLE, now)).toBe(55_000);
    expect(bootTimeOfStart({ handle: null, state: STATE }, HANDLE, now)).toBe(55_000);
  });
});
