/**
 * Many small containers on one supervisor: apply, a look with nothing to do, a restart of the supervisor, a crash of one
 * container, memory and descriptors; each beside the budget of the design.
 *
 *   node bench/scale/scale.mjs [--count N] [--directory DIR] [-o json]
 */
import { spawn, spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { SupervisorClient } from '../../dist/bench/client.js';

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '500' },
    directory: { type: 'string', default: '/tmp' },
    output: { type: 'string', short: 'o', default: 'text' },
  },
});
const count = Number(values.count);
const tsdocker = resolve(import.meta.dirname, '../../bin/tsdocker');
const base = mkdtempSync(join(values.directory, 'tsd-scale-'));
const manifests = join(base, 'manifests');
const address = `unix://${join(base, 'run', 'tsdocker.sock')}`;
const metrics = join(base, 'metrics.sock');
const client = new SupervisorClient(address);
/** The supervisor looks at everything every 10 s. */
const LOOK_MS = 10_300;
/** What it needed for a burst of work it gives back in that time. */
const REST_MS = 2 * LOOK_MS;
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

function startDaemon() {
  const log = openSync(join(base, 'daemon.log'), 'a');
  const directories = ['--root', join(base, 'root'), '--run-dir', join(base, 'run'), '--manifests', manifests];
  const network = ['--default-bridge', `tsds${process.pid % 10_000}`, '--bip', '10.234.0.1/21'];
  const args = ['daemon', ...directories, ...network, '-H', address, '--pidfile', '', '--metrics', `unix://${metrics}`];
  // As packaging/systemd/tsdocker.service has it.
  const env = { ...process.env, NODE_OPTIONS: '--max-semi-space-size=2' };
  return spawn(tsdocker, args, { stdio: ['ignore', log, log], env });
}

/** Resolves with the milliseconds until the condition holds. */
async function until(what, check, patienceMs = 300_000, pauseMs = 2) {
  const started = performance.now();
  for (;;) {
    try {
      if (await check()) return performance.now() - started;
    } catch (error) {
      if (performance.now() - started > patienceMs) throw new Error(`${what}: not in time`, { cause: error });
    }
    if (performance.now() - started > patienceMs) throw new Error(`${what}: not in time`);
    await sleep(pauseMs);
  }
}

async function end(daemon, signal) {
  const gone = new Promise((done) => daemon.once('exit', done));
  daemon.kill(signal);
  await gone;
}

const manifest = (app, containers) =>
  `app: ${app}\n${app === 'warm' ? 'images: { busybox: { host: [busybox] } }\n' : ''}containers:\n${Array.from({ length: containers }, (_, index) => `  c${index}: { image: warm/busybox, command: [busybox, sleep, "1000000"], stopSignal: SIGKILL, restart: always }\n`).join('')}`;

async function apply(app, containers) {
  const started = performance.now();
  const file = join(base, `${app}.yaml`);
  const input = [{ file, baseDir: base, text: manifest(app, containers) }];
  let last;
  for await (const event of client.apply(input, { dryRun: false, waitMs: 600_000, settleMs: 0 })) last = event;
  if (last?.type !== 'ready') throw new Error(`apply of ${containers}: ${JSON.stringify(last)}`);
  return performance.now() - started;
}

async function noOp() {
  const times = [];
  for (let run = 0; run < 15; run++) {
    const started = performance.now();
    const { ops } = await client.plan([]);
    if (ops.length > 0) throw new Error(`there is something to do: ${ops.map(({ id }) => id).join(', ')}`);
    times.push(performance.now() - started);
  }
  return median(times);
}

async function passes() {
  const answer = await new Promise((resolve, reject) => {
    request({ socketPath: metrics, path: '/metrics' }, resolve).on('error', reject).end();
  });
  const page = await text(answer);
  const value = (name) => Number(new RegExp(`^${name} (\\S+)`, 'm').exec(page)?.[1]);
  const histogram = 'tsdocker_reconcile_pass_duration_seconds';
  return { count: value(`${histogram}_count`), seconds: value(`${histogram}_sum`) };
}

/** What looks at everything take inside the supervisor, kernel, disk and plan, on average of a time in which nothing happens. */
async function looks(ms) {
  const before = await passes();
  await sleep(ms);
  const after = await passes();
  return ((after.seconds - before.seconds) * 1000) / (after.count - before.count);
}

/**
 * From the end of a payload to the next one running, by the supervisor's own clock. Only the one container is asked
 * about: a list of a thousand takes the supervisor as long as the restart.
 */
async function crashToRestarted() {
  const times = [];
  for (let run = 0; run < 5; run++) {
    const look = async () => (await client.describe('container', `many/c${run}`)).view;
    const before = await look();
    process.kill(before.pid, 'SIGKILL');
    const killedAt = Date.now();
    let after = before;
    await until('the restart', async () => {
      after = await look();
      return after.pid !== null && after.pid !== before.pid;
    });
    times.push(Date.parse(after.startedAt) - killedAt);
  }
  return median(times);
}

/** From the rename into the watched directory to the payload's start. */
async function dropToRunning() {
  const times = [];
  for (let run = 0; run < 5; run++) {
    const file = join(manifests, `drop${run}.yaml`);
    writeFileSync(join(base, 'draft'), manifest(`drop${run}`, 1));
    renameSync(join(base, 'draft'), file);
    const droppedAt = Date.now();
    let view;
    await until('the dropped container', async () => {
      view = (await client.list('containers')).find(({ app }) => app === `drop${run}`);
      return view?.ready;
    });
    times.push(Date.parse(view.startedAt) - droppedAt);
  }
  return median(times);
}

const kilobytes = (pid, file, key) =>
  Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1]);

function shimPss(pids) {
  const shims = pids.map((pid) => Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]));
  return median(shims.map((pid) => kilobytes(pid, 'smaps_rollup', 'Pss')));
}

/** What this machine is worth: the start of a program that does nothing. */
function emptyProgram() {
  const times = [];
  for (let run = 0; run < 9; run++) {
    const started = performance.now();
    spawnSync(process.execPath, ['-e', '0']);
    times.push(performance.now() - started);
  }
  return median(times);
}

async function measure() {
  mkdirSync(manifests, { recursive: true });
  const emptyMs = emptyProgram();
  let daemon = startDaemon();
  try {
    await until('the supervisor', () => client.info());
    await apply('warm', 1);
    const dropMs = await dropToRunning();
    await apply('hundred', 94);
    await sleep(REST_MS);
    const rssOf100 = kilobytes(daemon.pid, 'status', 'VmRSS') / 1024;
    const applyMs = await apply('many', count - 100);
    const workedMs = await looks(3 * LOOK_MS);
    const passMs = await looks(4 * LOOK_MS);
    const noOpMs = await noOp();
    const crashMs = await crashToRestarted();
    const running = (await client.list('containers')).filter(({ pid }) => pid !== null);
    const pids = new Map(running.map(({ id, pid }) => [id, pid]));
    const descriptors = readdirSync(`/proc/${daemon.pid}/fd`).length;
    const rss = kilobytes(daemon.pid, 'status', 'VmRSS') / 1024;
    const shimKb = shimPss([...pids.values()].slice(0, 20));
    await end(daemon, 'SIGKILL');
    daemon = startDaemon();
    const restartMs = await until('the restart', async () => {
      const views = await client.list('containers');
      return views.length >= running.length && views.every(({ ready }) => ready);
    });
    const kept = (await client.list('containers')).every(({ id, pid }) => pids.get(id) === pid);
    if (!kept) throw new Error('the restart of the supervisor cost a container its process');
    return {
      emptyMs,
      running: running.length,
      applyMs,
      workedMs,
      passMs,
      noOpMs,
      restartMs,
      crashMs,
      dropMs,
      rssOf100,
      rss,
      descriptors,
      shimKb,
    };
  } finally {
    for (const name of readdirSync(manifests)) rmSync(join(manifests, name));
    for await (const event of client.remove({ files: [], resources: [], all: true, waitMs: 600_000 })) void event;
    // A watched directory that is emptied waits for an approval.
    await until('all removed', async () => {
      if ((await client.list('containers')).length === 0) return true;
      await client.approve([]);
      return false;
    });
    await end(daemon, 'SIGTERM');
    rmSync(base, { recursive: true, force: true });
  }
}

const found = await measure();
if (values.output === 'json') console.log(JSON.stringify(found, null, 2));
else {
  const row = (name, value, unit, budget) =>
    console.log(
      `${name.padEnd(52)}${value.toFixed(1).padStart(10)} ${unit.padEnd(4)}${budget === null ? '' : `budget ${budget}, ratio ${(value / budget).toFixed(2)}`}`,
    );
  const share = found.running / 1000;
  row('an empty node program, to compare machines', found.emptyMs, 'ms', null);
  row(`apply of ${count - 100} more, to all running`, found.applyMs, 'ms', (count - 100) * 10);
  row(`the first looks after that`, found.workedMs, 'ms', null);
  row(`look at ${found.running} with nothing to do`, found.passMs, 'ms', 20 * share);
  row(`the same through the API, with the plan`, found.noOpMs, 'ms', null);
  row(`kill -9 of the supervisor to all ${found.running} ready`, found.restartMs, 'ms', 4000 * share);
  row('kill -9 of a payload to its next run', found.crashMs, 'ms', 15);
  row('manifest dropped to running', found.dropMs, 'ms', 100);
  row('supervisor memory with 100, at rest', found.rssOf100, 'MiB', 120);
  row(`supervisor memory with ${found.running}`, found.rss, 'MiB', null);
  row('supervisor descriptors a container', found.descriptors / found.running, '', 4);
  row('memory of a shim (PSS)', found.shimKb, 'KiB', 64);
}
