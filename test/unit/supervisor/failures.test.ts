import { expect, test } from 'vitest';
import { Failures } from '../../../src/supervisor/resolver/failures.ts';

const anyone = () => true;

test('what fails is tried again, the more seldom the longer it fails, until it has ended', () => {
  const failures = new Failures();
  expect([failures.failed('a', 'full'), failures.failed('b', 'full')]).toEqual([true, true]);
  expect(failures.due(1, anyone)).toEqual(['a']);
  expect(failures.due(9, (id) => id === 'b')).toEqual(['b']);
  expect(failures.failed('a', 'full')).toBe(false);
  expect(failures.failed('a', 'other')).toBe(true);
  const pauses = Array.from({ length: 8 }, () => {
    let looks = 0;
    while (!failures.due(9, (id) => id === 'a').includes('a')) looks++;
    failures.failed('a', 'other');
    return looks;
  });
  expect(pauses).toEqual([3, 7, 15, 30, 30, 30, 30, 30]);
  expect(failures.textOf('a')).toBe('other');
  failures.ended('a');
  expect([failures.textOf('a'), failures.textOf('b')]).toEqual([null, 'full']);
});
