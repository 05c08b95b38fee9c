import { expect, test } from 'vitest';
import { simulate } from './simulate.ts';

/** The same scripts each time; `npm run simulate` looks for trouble with others. */
const OPS = Number(process.env.TSD_SIMULATE_OPS ?? 3_000);

test(`${OPS} operations among crashes, faults and edits keep every invariant`, async () => {
  const { failure } = await simulate('5', OPS);
  expect(failure && { broken: failure.outcome.broken, trace: failure.script }).toBeNull();
});
