import { expect, test } from 'vitest';
import { waitAfterFailure, waitWhileHeld } from '../../../src/images/trust/fetch-schedule.ts';

test('without a statement the first fetch comes at once', () => {
  expect(waitWhileHeld(null, 0)).toBe(1);
});

test('a statement is fetched again at four fifths of the time that is left', () => {
  expect(waitWhileHeld(1_000_000, 500_000)).toBe(400_000);
  expect(waitWhileHeld(500_000, 500_000)).toBe(45_000);
});

test('failures make the wait longer, up to seven and a half minutes', () => {
  expect([1, 2, 3].map(waitAfterFailure)).toEqual([69_000, 105_000, 159_000]);
  expect(waitAfterFailure(100)).toBe(450_000);
});
