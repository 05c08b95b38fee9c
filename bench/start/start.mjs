/**
 * From apply to running: one container and fifty, as ratios to the kernel's own cost of a container measured in the same
 * run, beside `docker run` where a docker engine answers.
 *
 *   node bench/start/start.mjs [--runs N] [-o json]
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { SupervisorClient } from '../../dist/api/client.js';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '20' }, output: { type: 'string', short: 'o', default: 'text' } },
});
const runs = Number(values.runs);
const repository = resolve(import.meta.dirname, '../..');
const tsdocker = join(repository, 'bin/tsdocker');
const base = mkdtempSync('/tmp/tsd-bench-');
const socket = join(base, 'run', 'tsdocker.sock');

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** What the kernel alone needs for namespaces, a program and its end; util-linux's unshare does little more than that. */
function kernelCost() {
  const times = [];
  for (let run = 0; run < runs; run++) {
    const started = performance.now();
    spawnSync('/usr/bin/unshare', ['--mount', '--pid', '--uts', '--ipc', '--net', '--fork', '/bin/busybox', 'true']);
    times.push(performance.now() - started);
  }
  return median(times);
}

const manifest = (app, count) =>
  `app: ${app}\n${app === 'warm' ? 'images: { busybox: { host: [busybox] } }\n' : ''}containers:\n${Array.from({ length: count }, (_, index) => `  c${index}: { image: warm/busybox, command: [busybox, sleep, "1000000"], stopSignal: SIGKILL }\n`).join('')}`;

/** Applies as the command line does, and returns the milliseconds until everything is ready. */
async function apply(file, text) {
  const client = new SupervisorClient(`unix://${socket}`);
  const started = performance.now();
  let last;
  for await (const event of client.apply([{ file, baseDir: base, text }], { dryRun: false, waitMs: 60_000 }))
    last = event;
  if (last?.type !== 'ready') throw new Error(`apply: ${JSON.stringify(last)}`);
  return performance.now() - started;
}

function cli(...args) {
  return execFileSync(tsdocker, args, { env: { ...process.env, TSDOCKER_HOST: `unix://${socket}` }, encoding: 'utf8' });
}

async function tsdockerTimes() {
  mkdirSync(join(base, 'manifests'), { recursive: true });
  const log = openSync(join(base, 'daemon.log'), 'a');
  const daemon = spawn(
    tsdocker,
    [
      'daemon',
      '--root',
      join(base, 'root'),
      '--run-dir',
      join(base, 'run'),
      '--manifests',
      join(base, 'manifests'),
      '-H',
      `unix://${socket}`,
      '--pidfile',
      '',
      '--default-bridge',
      `tsdb${process.pid % 10_000}`,
      '--bip',
      '10.233.0.1/24',
    ],
    { stdio: ['ignore', log, log] },
  );
  try {
    for (let tries = 0; ; tries++) {
      try {
        cli('info');
        break;
      } catch (error) {
        if (tries > 100)
          throw new Error(`the supervisor does not answer: ${readFileSync(join(base, 'daemon.log'), 'utf8')}`, {
            cause: error,
          });
      }
    }
    // The image is made once, outside the measurement.
    const gone = (file) => cli('delete', '-f', file, '--wait=60s');
    await apply(join(base, 'warm.yaml'), manifest('warm', 1));
    const one = [];
    for (let run = 0; run < runs; run++) {
      const file = join(base, 'one.yaml');
      writeFileSync(file, manifest('one', 1));
      one.push(await apply(file, manifest('one', 1)));
      gone(file);
    }
    const fifty = [];
    const file = join(base, 'fifty.yaml');
    writeFileSync(file, manifest('fifty', 50));
    for (let run = 0; run < 3; run++) {
      fifty.push(await apply(file, manifest('fifty', 50)));
      if (run < 2) gone(file);
    }
    const memory = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'));
    return { one: median(one), fifty: median(fifty), rssMiB: Math.round(Number(memory?.[1]) / 1024) };
  } finally {
    cli('delete', '--all', '--wait=60s');
    const gone = new Promise((done) => daemon.once('exit', done));
    daemon.kill('SIGTERM');
    await gone;
    rmSync(base, { recursive: true, force: true });
  }
}

function dockerTime() {
  if (spawnSync('docker', ['info']).status !== 0) return null;
  const image = 'tsdocker-bench-busybox';
  const archive = spawnSync('tar', ['-C', '/', '-c', 'bin/busybox'], { maxBuffer: 64 * 1024 * 1024 });
  spawnSync('docker', ['import', '-', image], { input: archive.stdout });
  const times = [];
  for (let run = 0; run < Math.min(runs, 5); run++) {
    const started = performance.now();
    const { stdout } = spawnSync('docker', ['run', '-d', image, '/bin/busybox', 'sleep', '1000000'], {
      encoding: 'utf8',
    });
    times.push(performance.now() - started);
    spawnSync('docker', ['rm', '-f', stdout.trim()]);
  }
  spawnSync('docker', ['rmi', image]);
  return median(times);
}

const kernel = kernelCost();
const ours = await tsdockerTimes();
const docker = dockerTime();
const result = {
  kernelMs: kernel,
  oneMs: ours.one,
  fiftyMs: ours.fifty,
  dockerMs: docker,
  oneToKernel: ours.one / kernel,
  fiftyEachToKernel: ours.fifty / 50 / kernel,
  dockerToOne: docker === null ? null : docker / ours.one,
  supervisorRssMiB: ours.rssMiB,
};
if (values.output === 'json') console.log(JSON.stringify(result, null, 2));
else {
  const row = (name, ms, ratio) =>
    console.log(`${name.padEnd(44)}${ms.toFixed(1).padStart(9)} ms ${ratio.padStart(16)}`);
  row('unshare with five namespaces, run, exit', kernel, '1 (the measure)');
  row('one container, apply to running', ours.one, `${result.oneToKernel.toFixed(2)} ×`);
  row('fifty containers, apply to running', ours.fifty, `${(ours.fifty / kernel).toFixed(1)} ×`);
  row('  each', ours.fifty / 50, `${result.fiftyEachToKernel.toFixed(2)} ×`);
  if (docker === null) console.log('docker run -d: no docker engine answers here');
  else row('docker run -d', docker, `${(docker / kernel).toFixed(1)} × (ours × ${result.dockerToOne.toFixed(1)})`);
  console.log(`supervisor memory afterwards: ${ours.rssMiB} MiB`);
}
