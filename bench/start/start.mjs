/**
 * From the request to running: one container and fifty, as ratios to the kernel's own cost of a container measured in the
 * same run, beside Docker where docker.io is installed (a dockerd of its own is started and stopped).
 *
 *   node bench/start/start.mjs [--runs N] [--directory DIR] [-o json]
 *
 * DIR (/tmp) is where both keep their files: what making files costs there is part of what is measured.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { dockerInstalled, PrivateDocker } from './docker.mjs';
import { groupRounds, runcRounds } from './groups.mjs';
import { PrivateSupervisor } from './ours.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    directory: { type: 'string', default: '/tmp' },
    output: { type: 'string', short: 'o', default: 'text' },
  },
});
const runs = Number(values.runs);
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function times(count, measure) {
  const found = [];
  for (let run = 0; run < count; run++) found.push(await measure());
  return found;
}

/** What the kernel alone needs for namespaces, a program and its end; util-linux's unshare does little more than that. */
async function kernelMs() {
  const namespaces = ['--mount', '--pid', '--uts', '--ipc', '--net', '--fork'];
  return median(
    await times(runs, () => {
      const started = performance.now();
      spawnSync('/usr/bin/unshare', [...namespaces, '/bin/busybox', 'true']);
      return performance.now() - started;
    }),
  );
}

async function ours() {
  const supervisor = new PrivateSupervisor(values.directory);
  try {
    await supervisor.start();
    const bare = [];
    const one = [];
    // In turn first and second: what the first of a pair finds cold is not the filter's cost.
    for (let run = 0; run < runs; run++) {
      const pair = [
        async () => bare.push(await supervisor.run('bare', 1, { fields: ', seccomp: unconfined' })),
        async () => one.push(await supervisor.run('one', 1)),
      ];
      for (const measure of run % 2 === 0 ? pair : pair.reverse()) await measure();
    }
    const fifty = await times(5, () => supervisor.run('fifty', 50));
    const op = (name) => median(one.map(({ ops }) => ops[name]));
    return {
      createMs: op('create'),
      connectMs: op('connect'),
      startMs: op('start'),
      startUnfilteredMs: median(bare.map(({ ops }) => ops.start)),
      oneMs: median(one.map(({ ms }) => ms)),
      fiftyMs: median(fifty.map(({ ms }) => ms)),
      oneByCliMs: median(await times(Math.min(runs, 10), () => supervisor.runByCli('cli'))),
      memoryMiB: supervisor.memoryMiB(),
    };
  } finally {
    await supervisor.stop();
  }
}

async function docker() {
  if (!dockerInstalled()) return null;
  const daemon = new PrivateDocker(values.directory);
  try {
    await daemon.start();
    await daemon.run(1);
    return {
      oneMs: median(await times(Math.min(runs, 10), () => daemon.run(1))),
      fiftyMs: median(await times(2, () => daemon.run(50))),
      oneByCliMs: median(await times(Math.min(runs, 10), () => daemon.runByCli())),
    };
  } finally {
    await daemon.stop();
  }
}

function groups() {
  const found = groupRounds(runs);
  const part = (name) => median(found.map((round) => round[name]));
  const runc = runcRounds(Math.min(runs, 10), values.directory);
  return {
    makeMs: part('make'),
    enterMs: part('enter'),
    removeMs: part('remove'),
    enterAsRuncMs: part('enterAsRunc'),
    runcMs: runc && median(runc),
  };
}

const kernel = await kernelMs();
const result = { kernelMs: kernel, groups: groups(), ours: await ours(), docker: await docker() };
if (values.output === 'json') console.log(JSON.stringify(result, null, 2));
else {
  const { ours: own, docker: peer } = result;
  const row = (name, ms, theirs) => {
    const beside = theirs === undefined ? '' : `   docker ${theirs.toFixed(0)} ms, ${(theirs / ms).toFixed(1)} x ours`;
    console.log(`${name.padEnd(46)}${ms.toFixed(1).padStart(8)} ms ${(ms / kernel).toFixed(2).padStart(7)} x${beside}`);
  };
  row('kernel: unshare five namespaces, run, exit', kernel);
  const { makeMs, enterMs, removeMs, enterAsRuncMs, runcMs } = result.groups;
  row('control groups in all hierarchies: make', makeMs);
  row('  enter', enterMs);
  row('  enter as runc does', enterAsRuncMs);
  row('  remove', removeMs);
  if (runcMs === null) console.log('runc is not installed: nothing to compare with');
  else row('one container of runc, groups included', runcMs);
  row('one container: create', own.createMs);
  row('one container: connect', own.connectMs);
  row('one container: start', own.startMs);
  row('  start with seccomp: unconfined', own.startUnfilteredMs);
  row('one container by the API, to running', own.oneMs, peer?.oneMs);
  row('one container by the command line', own.oneByCliMs, peer?.oneByCliMs);
  row('fifty containers by the API, to running', own.fiftyMs, peer?.fiftyMs);
  row('  each', own.fiftyMs / 50);
  if (peer === null) console.log('docker.io is not installed: nothing to compare with');
  console.log(`supervisor memory afterwards: ${own.memoryMiB} MiB`);
}
