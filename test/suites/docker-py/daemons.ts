/** The daemons that the suite can be run against, each with directories, control groups and networks of its own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { ask } from '../../support/docker-client.ts';
import { until } from '../../support/wait.ts';

const TSDOCKER = resolve(import.meta.dirname, '../../../bin/tsdocker');
const GROUPS = '/sys/fs/cgroup';
const START_MS = 120_000;

export interface SuiteDaemon {
  /** `unix:///…` */
  readonly address: string;
  readonly log: string;
  /** Ends it and removes all that it made. */
  stop(): Promise<void>;
}

interface Running {
  readonly directory: string;
  readonly address: string;
  readonly log: string;
  readonly child: ChildProcess;
}

/** @param command what runs in the new directory; it gets the parts of that */
async function start(
  name: string,
  command: (at: (part: string) => string, address: string) => string[],
): Promise<Running> {
  const directory = mkdtempSync(`/tmp/tsd-suite-${name}-`);
  const at = (part: string): string => join(directory, part);
  for (const part of ['run', 'manifests']) mkdirSync(at(part));
  const address = `unix://${at('run/docker.sock')}`;
  const log = openSync(at('log'), 'a');
  const [program = '', ...args] = command(at, address);
  // Keys of the terminal are for the suite, which ends its daemon.
  const child = spawn(program, args, { stdio: ['ignore', log, log], detached: true });
  closeSync(log);
  await until(
    `${name} answering`,
    async () => {
      if (child.exitCode !== null) throw new Error(`${name} ended:\n${readFileSync(at('log'), 'utf8')}`);
      return existsSync(at('run/docker.sock')) && (await ask(address, 'GET', '/_ping')).status === 200;
    },
    START_MS,
    100,
  );
  return { directory, address, log: at('log'), child };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await gone;
}

export async function startOurs(registry: string): Promise<SuiteDaemon> {
  const { directory, address, log, child } = await start('tsdocker', (at, socket) => [
    TSDOCKER,
    'daemon',
    ...['--root', at('root'), '--run-dir', at('run'), '--manifests', at('manifests'), '-H', socket, '--pidfile', ''],
    ...['--default-bridge', 'docker0', '--bip', '172.17.0.1/16', '--registry-mirror', `http://${registry}`],
  ]);
  const stop = async (): Promise<void> => {
    await end(child);
    const own = ['--root', join(directory, 'root'), '--run-dir', join(directory, 'run')];
    execFileSync(TSDOCKER, ['system', 'reset', ...own, '--volumes', '--yes'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    rmSync(directory, { recursive: true });
  };
  return { address, log, stop };
}

export async function startDockerd(registry: string): Promise<SuiteDaemon> {
  const group = `tsd-suite-${process.pid}`;
  const { directory, address, log, child } = await start('dockerd', (at, socket) => [
    'dockerd',
    ...['--data-root', at('root'), '--exec-root', at('exec'), '--pidfile', at('pid'), '-H', socket],
    ...[
      '--cgroup-parent',
      `/${group}`,
      '--exec-opt',
      'native.cgroupdriver=cgroupfs',
      '--registry-mirror',
      `http://${registry}`,
    ],
  ]);
  const stop = async (): Promise<void> => {
    const { body } = await ask(address, 'GET', '/containers/json?all=1');
    for (const { Id } of JSON.parse(body.toString()) as { Id: string }[])
      await ask(address, 'DELETE', `/containers/${Id}?force=1&v=1`);
    await end(child);
    for (const hierarchy of ['.', ...readdirSync(GROUPS)])
      if (existsSync(join(GROUPS, hierarchy, group))) rmdirSync(join(GROUPS, hierarchy, group));
    rmSync(directory, { recursive: true });
  };
  return { address, log, stop };
}
