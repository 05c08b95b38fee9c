/**
 * What the engine adds to a handler: the same handler awaited by itself and run as a job, in turn, with the clock, log and
 * wires that the supervisor gives it. The least of all rounds counts: what else the machine does only adds.
 *
 *   node --import ./test/support/run-typescript.mjs bench/jobs/jobs.mjs [--rounds N] [-o json]
 */
import { parseArgs } from 'node:util';
import { Engine } from '../../src/engine/engine.ts';
import { systemTimers } from '../../src/engine/timers.ts';
import { systemClock } from '../../src/ffi/boot-clock.ts';
import { createLogger } from '../../src/supervisor/log.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '20' }, output: { type: 'string', short: 'o', default: 'text' } },
});
const JOBS = 20_000;
const AT_ONCE = 1_000;

const log = createLogger('info', false);
let ended = 0;
const engine = new Engine({
  clock: systemClock,
  timers: systemTimers,
  log: (line) => log.debug(line),
  onEnd: () => ended++,
});

let done = 0;
const work = async () => {
  done++;
  return undefined;
};
const streaming = async (job) => {
  for await (const chunk of job.stdin) await job.stdout.write(chunk);
  job.signal.throwIfAborted();
  return work();
};
engine.register({ name: 'plain', summary: 'does nothing', args: 'KEY' }, work);
engine.register({ name: 'all', summary: 'uses all', args: 'KEY', env: { force: { text: 'x' } } }, streaming);

const client = new AbortController();
const chunk = Buffer.from('x');
async function* input() {
  yield chunk;
}

function whole() {
  const job = engine.job('all', ['container/app/web'], {
    env: { force: '1' },
    stdin: input(),
    signal: client.signal,
    by: { uid: 0, user: 'root', via: 'api' },
  });
  job.stdout.add(() => undefined);
  return job.run();
}

const WAYS = {
  'the bare handler': async () => {
    for (let n = 0; n < JOBS; n++) await work();
  },
  'a job': async () => {
    for (let n = 0; n < JOBS; n++) await engine.job('plain', ['container/app/web']).run();
  },
  'a job with all of it: arguments, environment, input, output, signal': async () => {
    for (let n = 0; n < JOBS; n++) await whole();
  },
  'a thousand jobs at once': async () => {
    for (let n = 0; n < JOBS; n += AT_ONCE) {
      await Promise.all(Array.from({ length: AT_ONCE }, () => engine.job('plain', ['container/app/web']).run()));
    }
  },
};

const least = Object.fromEntries(Object.keys(WAYS).map((name) => [name, Number.POSITIVE_INFINITY]));
for (let round = 0; round < Number(values.rounds); round++) {
  for (const [name, run] of Object.entries(WAYS)) {
    const began = performance.now();
    await run();
    least[name] = Math.min(least[name], ((performance.now() - began) * 1000) / JOBS);
  }
}

const bare = least['the bare handler'];
const rows = Object.entries(least).map(([what, us]) => ({
  what,
  microseconds: Number(us.toFixed(2)),
  added: Number((us - bare).toFixed(2)),
  ratio: Number((us / bare).toFixed(1)),
}));
if (values.output === 'json') console.log(JSON.stringify(rows));
else console.table(rows);
const runs = Number(values.rounds) * JOBS;
if (done !== runs * 4 || ended !== runs * 3) throw new Error(`${done} handlers ran, ${ended} jobs ended`);
