import { expect, test } from 'vitest';
import { mayWait } from '../../../src/resolver/forward/fair-share.ts';

/** Containers that ask as often as they can, in turn. @returns how many questions of each wait */
function filledBy(containers: number): number[] {
  const waiting = Array.from({ length: containers }, () => 0);
  let all = 0;
  for (let before = -1; before !== all; ) {
    before = all;
    waiting.forEach((own, index) => {
      if (!mayWait(own, all)) return;
      waiting[index] = own + 1;
      all++;
    });
  }
  return waiting;
}

test('a container alone has 1,024 places, and one that comes to any number of greedy ones finds room', () => {
  expect(filledBy(1)).toEqual([1024]);
  expect(filledBy(4)).toEqual([1024, 1024, 1024, 1024]);
  for (const greedy of [8, 9, 100, 1000]) {
    const waiting = filledBy(greedy);
    const all = waiting.reduce((sum, each) => sum + each, 0);
    expect(Math.max(...waiting) - Math.min(...waiting)).toBeLessThanOrEqual(1);
    for (let own = 0; own < Math.floor(8192 / (greedy + 1)) / 2; own++) expect(mayWait(own, all + own)).toBe(true);
  }
});
