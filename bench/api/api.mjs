/**
 * The Docker API beside dockerd, and beside the same work through /tsdocker/v1: one call at a time over a connection that
 * stays open, and `docker run -d` as a whole command. All are asked in turn within a round, so that what else the machine
 * does meets each alike; ratios are those of medians.
 *
 *   node bench/api/api.mjs [--runs N] [--list N] [--peer-list N] [--directory DIR] [-o json]
 *
 * As root, with docker.io installed; a supervisor and a dockerd of its own are started and stopped. Lists have so many
 * containers that were made and not started (1,000; dockerd as many, or --peer-list).
 */
import { parseArgs } from 'node:util';
import { dockerInstalled, PrivateDocker } from '../start/docker.mjs';
import { PrivateSupervisor } from '../start/ours.mjs';
import { DockerCalls, runByClient, timed } from './docker-calls.mjs';
import { InstantDaemon } from './instant-daemon.mjs';
import { OwnCalls } from './own-calls.mjs';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '20' },
    list: { type: 'string', default: '1000' },
    'peer-list': { type: 'string' },
    directory: { type: 'string', default: '/tmp' },
    output: { type: 'string', short: 'o', default: 'text' },
  },
});
const runs = Number(values.runs);
const listed = { ours: Number(values.list), docker: Number(values['peer-list'] ?? values.list) };
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Milliseconds by what was done and through what. */
const times = new Map();

function add(name, side, ms) {
  const row = times.get(name) ?? {};
  times.set(name, { ...row, [side]: [...(row[side] ?? []), ms] });
}

async function note(name, side, work) {
  const { ms, result } = await timed(work);
  add(name, side, ms);
  return result;
}

async function dockerRound(side, calls, kept) {
  const created = performance.now();
  const id = await note('create', side, () => calls.create());
  await note('start', side, () => calls.start(id));
  add('create and start', side, performance.now() - created);
  await note('inspect', side, () => calls.inspect(kept));
  await note('logs', side, () => calls.logs(kept));
  const exec = await note('exec, made', side, () => calls.makeExec(kept));
  await note('exec, run', side, () => calls.runExec(exec));
  await calls.requireSuccess(exec);
  await note('stop', side, () => calls.stop(id));
  await note('remove', side, () => calls.remove(id));
  const ran = await note('docker run -d', side, () => runByClient(calls.address));
  await calls.remove(ran);
}

/** The container of a manifest that `PrivateSupervisor` keeps is what is looked at, started and stopped. */
const OWN = 'warm/c0';

async function ownRound(supervisor, calls) {
  const { ms } = await supervisor.run('one', 1);
  add('create and start', 'own', ms);
  await note('inspect', 'own', () => calls.inspect(OWN));
  await note('logs', 'own', () => calls.logs(OWN));
  await note('exec, run', 'own', () => calls.exec(OWN));
  await note('stop', 'own', () => calls.stop(OWN));
  await note('start', 'own', () => calls.start(OWN));
}

async function measure({ supervisor, docker, instant }) {
  const sides = { ours: new DockerCalls(supervisor.address), docker: new DockerCalls(docker.address) };
  const own = new OwnCalls(supervisor.address);
  const kept = {};
  for (const [side, calls] of Object.entries(sides)) kept[side] = await calls.prepare();
  const round = async (order) => {
    for (const side of order) await dockerRound(side, sides[side], kept[side]);
    await ownRound(supervisor, own);
    await note('docker run -d', 'client', () => runByClient(instant.address));
  };
  await round(['ours', 'docker']);
  times.clear();
  for (let run = 0; run < runs; run++) await round(run % 2 === 0 ? ['ours', 'docker'] : ['docker', 'ours']);
  for (const [side, calls] of Object.entries(sides)) await calls.fill(listed[side]);
  for (let run = 0; run < runs; run++) {
    for (const [side, calls] of Object.entries(sides)) {
      await note('list', side, () => calls.list());
      await note('inspect among them', side, () => calls.inspect(kept[side]));
    }
    await note('list', 'own', () => own.list());
    await note('inspect among them', 'own', () => own.inspect(OWN));
  }
  own.close();
  for (const calls of Object.values(sides)) await calls.close();
}

function found() {
  const rows = {};
  for (const [name, row] of times)
    rows[name] = Object.fromEntries(Object.entries(row).map(([side, all]) => [side, median(all)]));
  const { ours, docker, client } = rows['docker run -d'];
  rows['docker run -d'] = { ours, docker };
  rows['  without the client'] = { ours: ours - client, docker: docker - client };
  return rows;
}

function print(rows, memoryMiB) {
  console.log(`${''.padEnd(22)}      ours    dockerd   of dockerd    /tsdocker/v1   of that`);
  for (const [name, { ours, docker, own }] of Object.entries(rows)) {
    const beside = own === undefined ? '' : `${own.toFixed(2).padStart(11)} ms ${(ours / own).toFixed(2).padStart(10)}`;
    const ms = (value) => `${value.toFixed(2).padStart(8)} ms`;
    console.log(`${name.padEnd(20)}${ms(ours)}${ms(docker)}${(ours / docker).toFixed(3).padStart(10)}${beside}`);
  }
  console.log(`lists of ${listed.ours} and ${listed.docker}; supervisor afterwards: ${memoryMiB} MiB`);
}

if (!dockerInstalled()) throw new Error('docker.io is not installed: there is nothing to compare with');
const supervisor = new PrivateSupervisor(values.directory);
const docker = new PrivateDocker(values.directory);
const instant = new InstantDaemon(supervisor.directory);
try {
  await supervisor.start();
  await docker.start();
  await instant.start();
  await measure({ supervisor, docker, instant });
  const rows = found();
  const memoryMiB = supervisor.memoryMiB();
  if (values.output === 'json') console.log(JSON.stringify({ rows, listed, memoryMiB }, null, 2));
  else print(rows, memoryMiB);
} finally {
  await instant.stop();
  await docker.stop();
  await supervisor.stop();
}
