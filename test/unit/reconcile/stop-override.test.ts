import { expect, test } from 'vitest';
import { formatTime } from '../../../src/model/clock.ts';
import { tookAway } from '../../../src/reconcile/ops/containers/stop-override.ts';

const WALL = 1_800_000_000_000;
const STOP = {
  at: formatTime(WALL),
  specHash: 'hash',
  until: { at: formatTime(WALL + 600_000), bootId: 'boot', atBootMs: 700_000 },
};
const ended = (wallMs: number, finishedAtBootMs: number | null) => ({ finishedAtWallMs: wallMs, finishedAtBootMs });

test('an end after a stop belongs to it, whatever the wall clock', () => {
  for (const set of [-86_400_000, 0, 86_400_000]) {
    expect(tookAway(STOP, ended(WALL + set + 5, 100_005), 'boot')).toBe(true);
    expect(tookAway(STOP, ended(WALL + set - 5, 99_995), 'boot')).toBe(false);
  }
});

test('a stop of another boot is recognised by the wall clock', () => {
  expect(tookAway(STOP, ended(WALL + 5, null), 'boot')).toBe(true);
  expect(tookAway(STOP, ended(WALL - 5, null), 'boot')).toBe(false);
  expect(tookAway(STOP, ended(WALL + 5, 1_000), 'later')).toBe(true);
});
