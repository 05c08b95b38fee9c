/** A thousand containers on several bridges of one host: the time, the memory of both programs, and what is left at the end. */
import { readFileSync, rmdirSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { PrivateSupervisor } from '../start/ours.mjs';
import { Account, Machine } from './machine.mjs';

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', short: 'h', default: false },
    count: { type: 'string', default: '1000' },
    bridges: { type: 'string', default: '4' },
    directory: { type: 'string', default: '/tmp' },
    output: { type: 'string', short: 'o', default: 'text' },
  },
});
if (values.help) {
  console.log(`Usage: node bench/network/many.mjs [--count N] [--bridges N] [--directory DIR] [-o json]

  --count N        containers (1000)
  --bridges N      over which they are spread evenly; each takes 1,023 at most (4)
  --directory DIR  where the supervisor keeps its files (/tmp)
  -o json          all figures, for programs

Needs root and a built checkout. Fails where anything is left behind.
Example: node bench/network/many.mjs --directory /dev/shm`);
  process.exit(0);
}
const count = Number(values.count);
const bridges = Number(values.bridges);

const residentMiB = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

function manifest() {
  const container = (index) =>
    `  c${index}: { image: warm/busybox, command: [busybox, sleep, "1000000"], stopSignal: SIGKILL, networks: [n${index % bridges}] }\n`;
  const network = (index) => `  n${index}: { subnet: 10.${200 + index}.0.0/16 }\n`;
  const lines = (each, length) => Array.from({ length }, (_, index) => each(index)).join('');
  return `app: many\nnetworks:\n${lines(network, bridges)}containers:\n${lines(container, count)}`;
}

/** Ports of each bridge, the most first. */
function ports(machine) {
  const found = new Map();
  for (const [, master] of machine.run('ip', '-o', 'link').matchAll(/ master (\S+) /g))
    found.set(master, (found.get(master) ?? 0) + 1);
  return [...found.values()].sort((a, b) => b - a);
}

const machine = await new Machine().start();
const supervisor = new PrivateSupervisor(values.directory, machine.enter);
const { directory } = supervisor;
let instance = '';
const found = {};
try {
  await supervisor.start();
  instance = supervisor.instance;
  found.memoryOfOneMiB = residentMiB(supervisor.pid);
  const { ms } = await supervisor.apply('many', manifest());
  const { running, resolver } = await supervisor.info();
  Object.assign(found, {
    running,
    applyMs: ms,
    portsOfBridges: ports(machine),
    supervisorMiB: residentMiB(supervisor.pid),
    resolverMiB: residentMiB(resolver.pid),
  });
} finally {
  const started = performance.now();
  await supervisor.stop();
  found.removeMs = performance.now() - started;
  const groups = instance === '' ? [] : Account.groupsNamed(`tsdocker-${instance}`);
  found.left = [...machine.left(directory), ...groups];
  // They are reported, and do not stay.
  for (const group of groups) rmdirSync(group);
  await machine.stop();
}
if (values.output === 'json') console.log(JSON.stringify(found, null, 2));
else {
  const row = (name, value, unit) => console.log(`${name.padEnd(52)}${value.toFixed(1).padStart(10)} ${unit}`);
  console.log(`ports of the bridges: ${found.portsOfBridges.join(', ')}`);
  row(`apply of ${count} containers on ${bridges} bridges, to all running`, found.applyMs, 'ms');
  row('  each', found.applyMs / count, 'ms');
  row('supervisor memory with one container', found.memoryOfOneMiB, 'MiB');
  row(`supervisor memory with ${found.running}`, found.supervisorMiB, 'MiB');
  row('resolver memory', found.resolverMiB, 'MiB');
  row('removal of all, to the end of the supervisor', found.removeMs, 'ms');
  console.log(found.left.length === 0 ? 'nothing is left behind' : `left behind:\n${found.left.join('\n')}`);
}
if (found.left.length > 0) process.exitCode = 1;
