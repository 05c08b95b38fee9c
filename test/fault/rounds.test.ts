/**
 * Random faults for as long as is wanted. `npm test` runs a few; `npm run fault:long` hundreds of kills and minutes of edits
 * of 200 manifests. TSD_SEED repeats what was edited and killed, though not the kernel's timing.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Random } from '../support/random.ts';
import { Storm } from '../support/storm/storm.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const ROUNDS = Number(process.env.TSD_FAULT_ROUNDS ?? (process.env.TSD_TEST_LEVELS === 'test:all' ? 100 : 10));
const MINUTES = Number(process.env.TSD_FAULT_MINUTES ?? 0.2);
const MANIFESTS = Number(process.env.TSD_FAULT_MANIFESTS ?? 30);
const SEED = Number(process.env.TSD_SEED ?? Date.now() % 100_000);
const SETTLE_MS = 240_000;
/** A round whose operations are fewer than the one it waits for is over after this. */
const PATIENCE_MS = 1500;

/** Hundreds of manifests have more containers than a /24 has addresses. */
const WIDE = `10.231.${(process.pid % 16) * 16}.1/20`;

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor(['--bip', WIDE]).start();
});

afterEach(async () => {
  await supervisor.destroy();
});

/** Waits until the log has the end of so many operations, and returns at once. */
async function boundary(operations: number): Promise<void> {
  const log = openSync(join(supervisor.base, 'daemon.log'), 'r');
  try {
    const piece = Buffer.alloc(256 * 1024);
    let position = fstatSync(log).size;
    let left = operations;
    const giveUp = performance.now() + PATIENCE_MS;
    while (left > 0 && performance.now() < giveUp) {
      const bytes = readSync(log, piece, 0, piece.length, position);
      position += bytes;
      left -= piece.toString('latin1', 0, bytes).split('"opId":').length - 1;
      if (bytes === 0) await new Promise((next) => setTimeout(next, 1));
    }
  } finally {
    closeSync(log);
  }
}

test(
  `${ROUNDS} kills of the supervisor, at the end of operations and at random moments (TSD_SEED=${SEED})`,
  async () => {
    console.log(`TSD_SEED=${SEED}`);
    const random = new Random(SEED);
    const storm = new Storm(supervisor, random, { apps: 8, networks: 0.3 });
    await storm.begin();
    for (let round = 1; round <= ROUNDS; round++) {
      for (let edits = 1 + random.below(4); edits > 0; edits--) storm.edit();
      if (random.chance(0.6)) await boundary(1 + random.below(15));
      else {
        // A moment somewhere in the middle of the operations: it is the test's input, not something it waits for.
        const moment = performance.now() + random.next() * 600;
        await until('the moment of the crash', () => performance.now() >= moment);
      }
      await supervisor.crash();
      await supervisor.start();
      await storm.checkKeeper();
      if (round % 10 === 0) {
        await storm.settle(SETTLE_MS);
        console.log(`round ${round}: settled`);
      }
    }
    await storm.settle(SETTLE_MS);
  },
  SETTLE_MS + ROUNDS * 30_000,
);

test(
  `${MANIFESTS} manifests edited at random for ${MINUTES} minutes with kills of payloads, shims and supervisor (TSD_SEED=${SEED})`,
  async () => {
    console.log(`TSD_SEED=${SEED}`);
    const random = new Random(SEED + 1);
    const storm = new Storm(supervisor, random, { apps: MANIFESTS, networks: 0.05 });
    await storm.begin();
    storm.fill();
    const counts = { edits: 0, disturbances: 0, kills: 0 };
    const end = performance.now() + MINUTES * 60_000;
    let nextKill = performance.now() + 20_000 * random.next();
    while (performance.now() < end) {
      for (let edits = 1 + random.below(5); edits > 0; edits--, counts.edits++) storm.edit();
      if (random.chance(0.3)) {
        await storm.disturb();
        counts.disturbances++;
      }
      if (performance.now() > nextKill) {
        await supervisor.crash();
        await supervisor.start();
        counts.kills++;
        nextKill = performance.now() + 40_000 * random.next();
      }
      const pause = performance.now() + 600 * random.next();
      await until('the next edit', () => performance.now() >= pause);
    }
    console.log(JSON.stringify(counts));
    await storm.settle(SETTLE_MS);
    expect(counts.edits).toBeGreaterThan(0);
  },
  2 * SETTLE_MS + MINUTES * 60_000,
);
