import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { runJobs } from './jobs.ts';
import { simulate } from './simulate.ts';

/** The same scripts each time; `npm run simulate` looks for trouble with others. */
const SEED = process.env.TSD_SEED ?? '5';
const OPS = Number(process.env.TSD_SIMULATE_OPS ?? 200_000);
const JOBS = 8;

test(`${OPS} operations among crashes, faults and edits keep every invariant (TSD_SEED=${SEED})`, async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tsd-simulation-'));
  const results = await runJobs({
    seed: SEED,
    ops: OPS,
    jobs: JOBS,
    atOnce: availableParallelism(),
    trace: join(directory, 'trace.json'),
  });
  // The trace of a failure stays, to be replayed.
  if (results.every(({ status }) => status === 0)) rmSync(directory, { recursive: true });
  expect(results.filter(({ status }) => status !== 0).map(({ output }) => output.slice(-10_000))).toEqual([]);
});

test('answers to clients of the Docker API hold among crashes, faults and edits', async () => {
  const { failure } = await simulate(`${SEED} clients`, 3_000, { clients: true });
  expect(failure?.outcome.broken ?? null, failure?.outcome.log.join('\n')).toBeNull();
});
