import { expect, test } from 'vitest';
import { logsOverBudget } from '../../../src/supervisor/images/log-budget.ts';

const file = (path: string, number: number, changedAtMs: number) => ({ path, number, changedAtMs, bytes: 10 });
const FILES = [file('a', 0, 50), file('a.1', 1, 30), file('a.2', 2, 10), file('b', 0, 60), file('b.1', 1, 20)];

test('rotated logs are deleted oldest first until the rest fits, live ones stay', () => {
  const going = (budget: number) => logsOverBudget(FILES, budget).map(({ path }) => path);
  expect(going(50)).toEqual([]);
  expect(going(49)).toEqual(['a.2']);
  expect(going(35)).toEqual(['a.2', 'b.1']);
  expect(going(0)).toEqual(['a.2', 'b.1', 'a.1']);
});

test('the older copy of a log is deleted first also with equal times', () => {
  expect(logsOverBudget([file('a.1', 1, 5), file('a.2', 2, 5)], 15).map(({ path }) => path)).toEqual(['a.2']);
});
