import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** In a process of its own: the one of the test is woken by others. */
const COUNTS = `
const { systemTurns } = await import('./src/engine/loop-turns.ts');
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let turns = 0;
let longest = 0;
let before = systemTurns.busyMs();
const end = systemTurns.each(() => {
  turns++;
  const busy = systemTurns.busyMs();
  longest = Math.max(longest, busy - before);
  before = busy;
});
for (let count = 0; count < 3; count++) await wait(100);
const idle = turns;
const until = performance.now() + 200;
while (performance.now() < until);
await wait(1);
end();
const ended = turns;
await wait(1);
console.log(JSON.stringify({ idle, long: longest, later: turns - ended }));
`;

test('turns are counted and measured without making the loop turn', () => {
  const root = join(import.meta.dirname, '../../..');
  const typescript = join(root, 'test/support/run-typescript.mjs');
  const script = ['--import', typescript, '--input-type=module', '-e', COUNTS];
  const counted = JSON.parse(execFileSync(process.execPath, script, { cwd: root, encoding: 'utf8' }));
  expect(counted.idle).toBeGreaterThanOrEqual(3);
  expect(counted.idle).toBeLessThan(30);
  expect(counted.long).toBeGreaterThanOrEqual(200);
  expect(counted.later).toBe(0);
});
