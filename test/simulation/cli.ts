/** `npm run simulate -- --ops N [--seed S] [--jobs J] [--clients] [--replay FILE]` */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { type Outcome, runEpisode } from './episode.ts';
import { runJobs } from './jobs.ts';
import type { Script } from './script.ts';
import { simulate } from './simulate.ts';

const { values } = parseArgs({
  options: {
    ops: { type: 'string', default: '20000' },
    seed: { type: 'string', default: String(Date.now()) },
    jobs: { type: 'string', default: String(availableParallelism()) },
    clients: { type: 'boolean', default: false },
    replay: { type: 'string' },
    trace: { type: 'string', default: 'simulation-trace.json' },
  },
});

function report({ broken, log }: Outcome): void {
  console.log(log.join('\n'));
  console.log(broken === null ? 'every invariant holds' : `broken: ${broken}`);
}

async function replay(path: string): Promise<number> {
  const outcome = await runEpisode(JSON.parse(readFileSync(path, 'utf8')) as Script);
  report(outcome);
  return outcome.broken === null ? 0 : 1;
}

async function search(): Promise<number> {
  const { seed, trace } = values;
  console.log(`seed ${seed}`);
  const started = performance.now();
  const { tally, failure } = await simulate(seed, Number(values.ops), { clients: values.clients });
  const seconds = (performance.now() - started) / 1000;
  console.log(
    `${tally.ops} ops and ${tally.steps} steps in ${tally.episodes} scripts, ${seconds.toFixed(1)} s, ` +
      `${Math.round(tally.ops / seconds)} ops/s`,
  );
  if (!failure) return 0;
  report(failure.outcome);
  writeFileSync(trace, `${JSON.stringify(failure.script, null, 2)}\n`);
  console.log(`seed ${seed}, ${failure.script.actions.length} actions left: npm run simulate -- --replay ${trace}`);
  return 1;
}

async function searchSideBySide(): Promise<number> {
  const { seed, trace } = values;
  console.log(`seed ${seed}`);
  const jobs = Number(values.jobs);
  const results = await runJobs({ seed, ops: Number(values.ops), jobs, atOnce: jobs, trace, clients: values.clients });
  for (const { output } of results) console.log(output.trimEnd());
  return results.every(({ status }) => status === 0) ? 0 : 1;
}

async function main(): Promise<number> {
  if (values.replay !== undefined) return await replay(values.replay);
  return Number(values.jobs) > 1 ? await searchSideBySide() : await search();
}

process.exitCode = await main();
