/**
 * What a network costs a container, what passes through a published port and how fast names are answered, each in turn
 * with a dockerd of our own: both have a host to themselves, and one namespace plays the outside world of both.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DOCKER_GROUP, dockerInstalled, PrivateDocker } from '../start/docker.mjs';
import { PrivateSupervisor } from '../start/ours.mjs';
import { Account, Machine } from './machine.mjs';

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    runs: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '1' },
    directory: { type: 'string', default: '/tmp' },
    output: { type: 'string', short: 'o', default: 'text' },
  },
});
if (values.help) {
  console.log(`Usage: node bench/network/network.mjs [--runs N] [--rounds N] [--seconds S] [--directory DIR] [-o json]

  --runs N         containers started with and without a network (20)
  --rounds N       measurements of each kind of traffic (5)
  --seconds S      each of them takes (1)
  --directory DIR  where both keep their files (/tmp)
  -o json          all figures, for programs

Needs root, a built checkout and cc; docker.io for the ratios.
Example: node bench/network/network.mjs --directory /dev/shm`);
  process.exit(0);
}
const SECONDS = values.seconds;
const [STREAM, CONNECT] = ['7001', '7002'];
const SERVE = ['/bench/load', 'serve', STREAM, CONNECT];
const AT_ONCE = '16';
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

const programs = mkdtempSync(join(values.directory, 'tsd-bench-network-'));
const compile = (name, source) =>
  execFileSync('cc', ['-O2', '-static', '-o', join(programs, name), join(import.meta.dirname, source)]);

/** A host with its address in the outside world; what is started there with {@link launcher} is counted. */
async function host(outside, name, address, neighbour, group) {
  const machine = await new Machine().start();
  machine.connect(outside, name, `${address}/24`, `${neighbour}/24`);
  const account = new Account(group);
  return { machine, account, address, launcher: [...account.enter, ...machine.enter] };
}

async function ours(outside) {
  const own = await host(outside, 'lan0', '192.0.2.1', '192.0.2.2', `tsdocker-bench-own-${process.pid}`);
  const supervisor = new PrivateSupervisor(values.directory, own.launcher);
  await supervisor.start();
  const ports = `ports: ["${STREAM}:${STREAM}", "${CONNECT}:${CONNECT}"], volumes: ["${programs}:/bench:ro"]`;
  const text = `app: kept
networks: { back: {} }
containers:
  server: { image: warm/busybox, command: ${JSON.stringify(SERVE)}, stopSignal: SIGKILL, ${ports} }
  web: { image: warm/busybox, command: [busybox, sleep, "1000000"], stopSignal: SIGKILL, networks: [back] }
`;
  await supervisor.apply('kept', text);
  return {
    ...own,
    inside: await supervisor.pidOf('kept/web'),
    start: async (network) => {
      const { ms, ops } = await supervisor.run('one', 1, { fields: `, network: ${network}` });
      return { ms, connectMs: ops.connect };
    },
    stop: async () => {
      const { instance } = supervisor;
      await supervisor.stop();
      for (const group of Account.groupsNamed(`tsdocker-${instance}`)) rmdirSync(group);
    },
  };
}

async function docker(outside) {
  const own = await host(outside, 'lan1', '198.51.100.1', '198.51.100.2', DOCKER_GROUP);
  const daemon = new PrivateDocker(values.directory, own.launcher);
  await daemon.start();
  const ports = [STREAM, CONNECT].flatMap((port) => ['-p', `${port}:${port}`]);
  daemon.keepOne([...ports, '-v', `${programs}:/bench:ro`], SERVE);
  daemon.command('network', 'create', 'back');
  const web = daemon.keepOne(['--network', 'back', '--name', 'web']);
  return {
    ...own,
    inside: daemon.command('inspect', '--format', '{{.State.Pid}}', web),
    start: async (network) => ({ ms: await daemon.run(1, { NetworkMode: network }) }),
    stop: () => daemon.stop(),
  };
}

/** Each peer in turn, in both orders. */
async function alternately(peers, rounds, measure) {
  const found = new Map(peers.map((peer) => [peer, []]));
  for (let round = 0; round < rounds; round++)
    for (const peer of round % 2 === 0 ? peers : peers.toReversed()) found.get(peer).push(await measure(peer));
  return peers.map((peer) => found.get(peer));
}

/** What a bridge network adds to a container: until it runs, and of processors for its start and removal. */
async function setUp(peers) {
  const start = async (peer, network) => {
    const before = peer.account.ms();
    const times = await peer.start(network);
    return { ...times, cpuMs: peer.account.ms() - before };
  };
  for (const peer of peers) for (const network of ['bridge', 'none']) await start(peer, network);
  const found = await alternately(peers, Number(values.runs), async (peer) => ({
    bridge: await start(peer, 'bridge'),
    none: await start(peer, 'none'),
  }));
  const of = (network, key) => found.map((pairs) => median(pairs.map((pair) => pair[network][key])));
  const added = (key) => found.map((pairs) => median(pairs.map(({ bridge, none }) => bridge[key] - none[key])));
  return [
    ['container with a bridge network, to running (ms)', of('bridge', 'ms')],
    ['  what the network adds to it (ms)', added('ms')],
    ['  of it the connect operation (ms)', of('bridge', 'connectMs').slice(0, 1)],
    ['  processor time, start and removal (ms)', of('bridge', 'cpuMs')],
    ['  what the network adds to that (ms)', added('cpuMs')],
  ];
}

async function traffic(peers, outside) {
  const load = join(programs, 'load');
  const from = (machine, ...args) => Number(machine.run(load, ...args));
  const kinds = {
    'throughput, address of the host (Gbit/s)': (peer) => from(outside, 'stream', peer.address, STREAM, SECONDS),
    'throughput, 127.0.0.1 (Gbit/s)': (peer) => from(peer.machine, 'stream', '127.0.0.1', STREAM, SECONDS),
    'connections a second, address of the host': (peer) =>
      from(outside, 'connect', peer.address, CONNECT, SECONDS, AT_ONCE),
    'connections a second, 127.0.0.1': (peer) => from(peer.machine, 'connect', '127.0.0.1', CONNECT, SECONDS, AT_ONCE),
  };
  const rows = [];
  for (const [name, measure] of Object.entries(kinds)) {
    const found = await alternately(peers, Number(values.rounds), measure);
    rows.push([name, found.map(median)]);
  }
  return rows;
}

/** A name of a neighbour, asked for in a container of a network of its own. */
async function names(peers) {
  const ask = (peer, rate, atOnce) => {
    const inside = ['--net', '--target', String(peer.inside), join(programs, 'ask')];
    const before = peer.account.ms();
    const answer = JSON.parse(execFileSync('nsenter', [...inside, 'web', rate, SECONDS, atOnce], { encoding: 'utf8' }));
    if (answer.failed > 0) throw new Error(`${answer.failed} of ${answer.answered} answers were none`);
    return { ...answer, cpuUs: ((peer.account.ms() - before) * 1000) / answer.answered };
  };
  const measure = (rate, atOnce) => alternately(peers, Number(values.rounds), (peer) => ask(peer, rate, atOnce));
  const single = await measure('0', '1');
  const steady = await measure('5000', '1');
  const many = await measure('0', '64');
  const of = (found, key) => found.map((answers) => median(answers.map((answer) => answer[key])));
  return [
    ['DNS answers a second, 64 at a time', of(many, 'perSecond')],
    ['  processor time of each (µs)', of(many, 'cpuUs')],
    ['DNS answers a second, one at a time', of(single, 'perSecond')],
    ['DNS at 5,000/s: median (µs)', of(steady, 'p50')],
    ['  99 % within (µs)', of(steady, 'p99')],
    [
      '  answered, of all that were asked (%)',
      steady.map((all) => median(all.map((one) => (100 * one.answered) / one.sent))),
    ],
  ];
}

const outside = await new Machine().start();
const peers = [];
let rows;
try {
  compile('load', 'load.c');
  compile('ask', '../dns/load.c');
  peers.push(await ours(outside));
  if (dockerInstalled()) peers.push(await docker(outside));
  else console.error('docker.io is not installed: nothing to compare with');
  rows = [...(await setUp(peers)), ...(await traffic(peers, outside)), ...(await names(peers))];
} finally {
  for (const { stop, machine, account } of peers) {
    await stop();
    await machine.stop();
    account.close();
  }
  await outside.stop();
  rmSync(programs, { recursive: true, force: true });
}
const results = rows.map(([what, [own, other = null]]) => ({
  what,
  ours: own,
  docker: other,
  ratio: other === null ? null : own / other,
}));
if (values.output === 'json') console.log(JSON.stringify(results, null, 2));
else {
  const shown = (number) =>
    number === null ? '–' : number < 100 ? number.toFixed(2) : Math.round(number).toLocaleString('en');
  for (const row of results) {
    const figures = `${shown(row.ours).padStart(10)}   docker ${shown(row.docker).padStart(10)}   ratio ${shown(row.ratio).padStart(7)}`;
    console.log(row.what.padEnd(52) + figures);
  }
}
