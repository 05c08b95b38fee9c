/**
 * What the resolver's answers take, asked from inside a network namespace: at 5,000 questions a second, as fast as it can,
 * and its memory with a thousand sandboxes. The load comes from a program in C, which takes next to nothing itself.
 *
 *   node --import ./test/support/run-typescript.mjs bench/dns/dns.mjs [--seconds N] [--sandboxes N] [--first] [-o json]
 *
 * `--first` gives both programs the processor before all others, for a machine that is not quiet.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { enterOwnHost, World } from '../../test/support/resolver/fixture.ts';
import { addressOf, StubServer } from '../../test/support/resolver/stub-server.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '5' },
    sandboxes: { type: 'string', default: '1000' },
    first: { type: 'boolean', default: false },
    output: { type: 'string', short: 'o', default: 'text' },
  },
});
const RATE = 5_000;
const RUN_SANDBOXES = Number(values.sandboxes);

enterOwnHost();
const directory = mkdtempSync(join(tmpdir(), 'tsd-bench-dns-'));
const load = join(directory, 'load');
execFileSync('cc', ['-O2', '-o', load, 'bench/dns/load.c']);

const world = await World.start('bench');
if (values.first) execFileSync('chrt', ['--all-tasks', '--fifo', '--pid', '10', String(world.resolver.pid)]);
const before = values.first ? ['chrt', '--fifo', '10'] : [];
const server = new StubServer('127.0.0.53', (asked) => [addressOf(asked, '192.0.2.1')]);

/** Resident and proportional memory in KiB, and milliseconds on a processor. */
function used() {
  const rollup = readFileSync(`/proc/${world.resolver.pid}/smaps_rollup`, 'utf8');
  const of = (field) => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(rollup)?.[1]);
  const stat = readFileSync(`/proc/${world.resolver.pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return {
    rss: of('Rss'),
    pss: of('Pss'),
    private: of('Private_Dirty'),
    cpuMs: (Number(stat[11]) + Number(stat[12])) * 10,
  };
}

const results = {};
try {
  await world.network('n1', {
    web: '10.1.0.2',
    ten: Array.from({ length: 10 }, (_, index) => `10.1.1.${index + 1}`),
    ...Object.fromEntries(
      Array.from({ length: 1000 }, (_, index) => [`c${index}`, `10.1.${4 + (index >> 8)}.${index & 255}`]),
    ),
  });
  await world.client.ask({ kind: 'set-host-servers', digest: 'b', servers: [{ address: '127.0.0.53', port: 53 }] });
  const sandbox = await world.sandbox('first', { forwarding: { from: 'host' } });
  results.start = used();
  const measure = async (what, name, rate, atOnce) => {
    const { cpuMs } = used();
    const [file, ...args] = [...before, load, name, String(rate), values.seconds, String(atOnce)];
    const run = JSON.parse(await sandbox.run(file, ...args));
    results[what] = { ...run, cpuUsEach: Math.round(((used().cpuMs - cpuMs) * 1000) / run.answered) };
  };
  await measure('warm', 'web', RATE, 1);
  await measure('one name at 5,000/s', 'web', RATE, 1);
  await measure('ten addresses at 5,000/s', 'ten', RATE, 1);
  await measure('outside, from the cache, at 5,000/s', 'example.com', RATE, 1);
  await measure('one at a time', 'web', 0, 1);
  await measure('64 at a time', 'web', 0, 64);
  results.loaded = used();
  const began = performance.now();
  for (let index = 1; index < RUN_SANDBOXES; index++)
    await world.sandbox(`s${index}`, { forwarding: { from: 'host' } });
  results.sandboxes = { count: RUN_SANDBOXES, msEach: (performance.now() - began) / RUN_SANDBOXES, ...used() };
  await measure('beside them, at 5,000/s', 'web', RATE, 1);
} finally {
  server.close();
  await world.remove();
  rmSync(directory, { recursive: true, force: true });
}
if (values.output === 'json') console.log(JSON.stringify(results, null, 2));
else for (const [what, result] of Object.entries(results)) console.log(what.padEnd(40), JSON.stringify(result));
process.exit(0);
