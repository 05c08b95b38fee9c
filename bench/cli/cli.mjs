/**
 * What a person waits for at the command line: short commands as ratios to an empty node program, beside docker and podman
 * where they are installed (a dockerd of its own is started and stopped). All are run in turn, so that what else the machine
 * does meets each alike.
 *
 *   node bench/cli/cli.mjs [--runs N] [-o json]
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { dockerInstalled, PrivateDocker } from '../start/docker.mjs';
import { PrivateSupervisor } from '../start/ours.mjs';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '30' }, output: { type: 'string', short: 'o', default: 'text' } },
});
const runs = Number(values.runs);
const TSDOCKER = resolve(import.meta.dirname, '../../bin/tsdocker');

const scratch = mkdtempSync('/tmp/tsd-bench-cli-');
const supervisor = new PrivateSupervisor('/tmp');
const docker = dockerInstalled() ? new PrivateDocker('/tmp') : null;

async function commands() {
  await supervisor.start();
  const env = { ...process.env, TSDOCKER_HOST: supervisor.address };
  const of = (program, name, args) => ({ name, program, args, env });
  const list = [
    of(process.execPath, 'node -e 0', ['-e', '0']),
    of(TSDOCKER, 'tsdocker --help', ['--help']),
    of(TSDOCKER, 'tsdocker version', ['version']),
    of(TSDOCKER, 'tsdocker get containers', ['get', 'containers']),
    of(TSDOCKER, 'tsdocker logs', ['logs', 'warm/c0']),
    of(TSDOCKER, 'tsdocker exec', ['exec', 'warm/c0', '/bin/busybox', 'true']),
  ];
  if (docker !== null) {
    await docker.start();
    const id = docker.keepOne();
    const at = (...args) => ['-H', docker.address, ...args];
    list.push(
      of('docker', 'docker --help', ['--help']),
      of('docker', 'docker version', at('version')),
      of('docker', 'docker ps', at('ps')),
      of('docker', 'docker logs', at('logs', id)),
      of('docker', 'docker exec', at('exec', id, '/bin/busybox', 'true')),
    );
  }
  if (!spawnSync('podman', ['--version']).error) {
    const at = (...args) => ['--root', join(scratch, 'root'), '--runroot', join(scratch, 'run'), ...args];
    list.push(of('podman', 'podman --help', ['--help']), of('podman', 'podman ps', at('ps')));
  }
  return list;
}

function once({ name, program, args, env }) {
  const started = performance.now();
  const { status, error, stderr } = spawnSync(program, args, { env, encoding: 'utf8' });
  const ms = performance.now() - started;
  if (error || status !== 0) throw new Error(`${name}: ${error?.message ?? stderr}`);
  return ms;
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

try {
  const list = await commands();
  const times = new Map(list.map((command) => [command, []]));
  for (const command of list) once(command);
  for (let run = 0; run < runs; run++) for (const command of list) times.get(command).push(once(command));
  const rows = list.map((command) => ({ name: command.name, ms: median(times.get(command)) }));
  const node = rows[0].ms;
  if (values.output === 'json') console.log(JSON.stringify(rows, null, 2));
  else {
    for (const { name, ms } of rows) {
      console.log(`${name.padEnd(26)}${ms.toFixed(1).padStart(8)} ms${(ms / node).toFixed(2).padStart(8)} x node -e 0`);
    }
  }
} finally {
  await supervisor.stop();
  await docker?.stop();
  rmSync(scratch, { recursive: true, force: true });
}
