import fc from 'fast-check';
import { expect, it } from 'vitest';
import { sortInSteps } from '../../src/model/sort-in-steps.ts';

function sorted<T>(items: readonly T[], compare: (a: T, b: T) => number): { all: T[]; steps: number } {
  const steps = sortInSteps(items, compare);
  for (let count = 0; ; count++) {
    const step = steps.next();
    if (step.done) return { all: step.value, steps: count };
  }
}

it('gives the order of sort', () => {
  const pairs = fc.array(fc.record({ key: fc.nat(20), value: fc.nat() }), { maxLength: 50 });
  fc.assert(
    fc.property(pairs, (some) => {
      // Longer than one step, and with equal keys: it is stable.
      const items = Array.from({ length: 120 }, () => some).flat();
      const byKey = (a: { key: number }, b: { key: number }): number => a.key - b.key;
      expect(sorted(items, byKey).all).toEqual([...items].sort(byKey));
    }),
    { numRuns: 30 },
  );
});

it('compares a bounded number of times between two pauses', () => {
  const items = Array.from({ length: 100_000 }, (_, index) => (index * 7919) % 100_003);
  let since = 0;
  let most = 0;
  const steps = sortInSteps(items, (a, b) => {
    since += 1;
    most = Math.max(most, since);
    return a - b;
  });
  while (!steps.next().done) since = 0;
  expect(most).toBeLessThan(50_000);
});
