/**
 * A real supervisor for a test: its own root, run directory, manifests, bridge and address range, driven through the
 * command line as a user would.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { expect } from 'vitest';
import { SupervisorClient } from '../../src/api/client.ts';
import type { ContainerView } from '../../src/api/views/resource-views.ts';
import { type ExitRecord, readExitRecord } from '../../src/drivers/exec/native/shim/exit-record.ts';
import { ask } from './docker-client.ts';
import { type HostState, hostState, type Marks, removeLeft, resolversOf } from './leaks.ts';
import { lease, release } from './leases.ts';
import { networkTraces } from './network-traces.ts';
import { PATIENCE_MS, until } from './wait.ts';

const TSDOCKER = resolve(import.meta.dirname, '../../bin/tsdocker');

export interface CliResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How much of a supervisor's log a failing wait shows. */
const LOG_LINES = 15;

let serial = 0;

/** One /24 of 10.232.0.0/16 that no route of this host leads to and no other test uses. */
function freeSubnet(first: number): string {
  // Destinations are hexadecimal, the last byte of the address first.
  const routes = readFileSync('/proc/net/route', 'utf8');
  const isFree = (third: number) => !routes.includes(`\t00${third.toString(16).toUpperCase().padStart(2, '0')}E80A\t`);
  for (let index = 0; index < 256; index++) {
    const third = (first + index) % 256;
    if (isFree(third) && lease(`subnet-10.232.${third}`)) return `10.232.${third}`;
  }
  throw new Error('all of 10.232.0.0/16 is in use: remove bridges that earlier tests left');
}

/** Sixteen networks for what names no subnet, which belong to this /24 alone. */
function poolOf(subnet: string): string {
  const third = Number(subnet.split('.')[2]);
  return `base=10.${240 + (third >> 4)}.${(third & 15) << 4}.0/20,size=24`;
}

export class TestSupervisor {
  readonly base = mkdtempSync('/tmp/tsd-test-');
  readonly root = join(this.base, 'root');
  readonly runDir = join(this.base, 'run');
  readonly manifests = join(this.base, 'manifests');
  readonly socket = `unix://${join(this.runDir, 'tsdocker.sock')}`;
  readonly bridge = `tsdt${process.pid % 10_000}x${serial}`;
  /** The first three bytes of its /24. */
  readonly subnet = freeSubnet(process.pid + serial++);
  /** Of the supervisor that starts next. */
  program = TSDOCKER;
  readonly #extra: readonly string[];
  /** A command that starts the supervisor in its own place. */
  readonly #launcher: readonly string[];
  #child: ChildProcess | null = null;
  /** Of the supervisor that started last. */
  #gone: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }> | null = null;
  /** As of its last start: its root may not be readable any more. */
  #marks: Marks | null = null;
  /** Nothing is removed any more, but by the next supervisor. */
  #isShutDown = false;

  constructor(extraFlags: readonly string[] = [], launcher: readonly string[] = []) {
    this.#extra = extraFlags;
    this.#launcher = launcher;
    mkdirSync(this.manifests, { recursive: true });
  }

  get instance(): string {
    const file = join(this.root, 'instance');
    return existsSync(file) ? readFileSync(file, 'utf8').trim() : '';
  }

  get log(): string {
    return readFileSync(join(this.base, 'daemon.log'), 'utf8');
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('the supervisor is not running');
    return pid;
  }

  /** @param flags for this start only. */
  async start(...flags: readonly string[]): Promise<this> {
    const log = openSync(join(this.base, 'daemon.log'), 'a');
    const before = fstatSync(log).size;
    const [program = '', ...args] = [...this.#launcher, this.program];
    const child = spawn(
      program,
      [
        ...args,
        'daemon',
        ...['--root', this.root, '--run-dir', this.runDir, '--manifests', this.manifests, '-H', this.socket],
        ...['--pidfile', join(this.base, 'pid'), '--default-bridge', this.bridge],
        // Another bridge has an address of its own.
        ...(flags.includes('-b') || this.#extra.includes('-b') ? [] : ['--bip', `${this.subnet}.1/24`]),
        ...this.#extra,
        ...flags,
      ],
      {
        stdio: ['ignore', log, log],
        // As a variable: earlier versions have no such flag.
        env: { TSDOCKER_DEFAULT_ADDRESS_POOL: poolOf(this.subnet), ...process.env },
      },
    );
    closeSync(log);
    this.#child = child;
    this.#isShutDown = false;
    this.#gone = new Promise((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })));
    let ended = false;
    child.once('exit', () => {
      ended = true;
      if (this.#child === child) this.#child = null;
    });
    const client = new SupervisorClient(this.socket);
    await until('the supervisor answering', async () => ended || (await client.info()) !== null);
    if (ended) throw new Error(`the supervisor ended:\n${Buffer.from(this.log).subarray(before)}`);
    this.#marks = { root: realpathSync(this.root), instance: this.instance, bridge: this.bridge };
    return this;
  }

  /** kill -9, and waits until it is gone. */
  async crash(): Promise<void> {
    await this.#end('SIGKILL');
  }

  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.pid, signal);
  }

  /** Waits for the end of the supervisor that started last, and tells how it ended. */
  async gone(): Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }> {
    if (this.#gone === null) throw new Error('no supervisor was started');
    return await this.#gone;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child) return;
    const gone = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    await gone;
    this.#child = null;
  }

  cli(...args: string[]): Promise<CliResult> {
    return this.cliWithInput('', ...args);
  }

  cliWithInput(input: string, ...args: string[]): Promise<CliResult> {
    if (args[0] === 'host-shutdown') this.#isShutDown = true;
    return new Promise((done) => {
      const child = execFile(
        TSDOCKER,
        args,
        { env: { ...process.env, TSDOCKER_HOST: this.socket, NO_COLOR: '1' }, maxBuffer: 64 * 1024 * 1024 },
        (error, stdout, stderr) => {
          const status = error ? (typeof error.code === 'number' ? error.code : 255) : 0;
          done({ status, stdout, stderr });
        },
      );
      // A command may end without having read its input.
      child.stdin?.on('error', () => {});
      child.stdin?.end(input);
    });
  }

  /** As {@link cli}, and fails the test when the command does. */
  async ok(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await this.cli(...args);
    if (status !== 0) throw new Error(`tsdocker ${args.join(' ')} exited ${status}:\n${stdout}${stderr}`);
    return stdout;
  }

  /** Writes a manifest into the watched directory as an editor does: beside, then renamed. */
  drop(name: string, text: string): string {
    const file = join(this.manifests, name);
    writeFileSync(`${file}.tmp`, text);
    renameSync(`${file}.tmp`, file);
    return file;
  }

  /** Writes a file outside the watched directory. */
  file(name: string, content: string | Buffer): string {
    const file = join(this.base, name);
    mkdirSync(join(file, '..'), { recursive: true });
    writeFileSync(file, content);
    return file;
  }

  async containers(): Promise<readonly ContainerView[]> {
    return JSON.parse(await this.ok('get', 'containers', '-o', 'json')) as ContainerView[];
  }

  async container(name: string): Promise<ContainerView | undefined> {
    return (await this.containers()).find((container) => container.name === name);
  }

  /** Waits until a container fulfils a condition, and returns it. */
  async waitFor(name: string, what: string, check: (view: ContainerView) => boolean): Promise<ContainerView> {
    let last: ContainerView | undefined;
    try {
      return await until(`${name}: ${what}`, async () => {
        last = await this.container(name);
        return last && check(last) ? last : null;
      });
    } catch (error) {
      const log = this.log.split('\n').slice(-LOG_LINES).join('\n');
      throw new Error(`${String(error)}\nlast seen: ${JSON.stringify(last)}\nthe supervisor's log:\n${log}`, {
        cause: error,
      });
    }
  }

  /** How a run ended, by its shim's own record: waits for it, also while no supervisor is there. */
  exitRecord(id: string, run = 1): Promise<ExitRecord> {
    const path = join(this.root, 'execdriver', 'native', id, `exit.${run}`);
    return until(`the record of ${id.slice(0, 12)}'s end`, () => readExitRecord(path));
  }

  hostState(): HostState {
    return hostState(this.#marks ?? this);
  }

  /** Pids of the resolvers that answer its containers. */
  resolvers(): readonly number[] {
    return resolversOf(this.#marks ?? this);
  }

  /**
   * Removes everything declared, stops, and checks that the kernel holds nothing of this supervisor any more. Also where
   * that fails nothing is left.
   */
  async destroy(): Promise<void> {
    try {
      if (this.#child || existsSync(this.root)) await this.#removeAll();
      else if (this.#marks) await removeLeft(this.#marks);
    } catch (error) {
      await this.crash();
      if (this.#marks) await removeLeft(this.#marks);
      throw error;
    } finally {
      rmSync(this.base, { recursive: true, force: true });
      release(`subnet-${this.subnet}`);
    }
  }

  async #removeAll(): Promise<void> {
    if (this.#isShutDown) await this.stop();
    if (!this.#child) await this.start();
    rmSync(this.manifests, { recursive: true, force: true });
    mkdirSync(this.manifests, { recursive: true });
    await this.cli('delete', '--all');
    await this.#removeImperative();
    const client = new SupervisorClient(this.socket);
    await until('all containers and networks removed', async () => {
      const [containers, networks] = await Promise.all([client.list('containers'), client.list('networks')]);
      // The default bridge goes with the supervisor.
      if (containers.length === 0 && networks.every(({ app }) => app === '')) return true;
      await this.cli('approve', '--yes');
      return false;
    });
    await this.stop();
    // The kernel takes links along with a namespace a moment after its last user has let it go.
    await until('no link left', () => this.hostState().links.length === 0, PATIENCE_MS / 2).catch(() => {});
    expect(this.hostState()).toEqual({ mounts: [], links: [], tables: [], cgroups: [], processes: [] });
    expect(this.resolvers()).toEqual([]);
    // What ends just now is remembered a little while.
    await until('no trace in the network', () => this.networkTraces().length === 0, PATIENCE_MS / 2).catch(() => {});
    expect(this.networkTraces()).toEqual([]);
  }

  /** What clients of the Docker API made is in no manifest. */
  async #removeImperative(): Promise<void> {
    const made = (await this.containers()).filter(({ app }) => app === '@docker');
    await Promise.all(made.map(({ id }) => ask(this.socket, 'DELETE', `/containers/${id}?force=1&v=1`)));
    const networks = await new SupervisorClient(this.socket).list('networks');
    for (const { app, name } of networks) if (app === '@docker') await ask(this.socket, 'DELETE', `/networks/${name}`);
  }

  /** What is left of it in the network of the host besides interfaces and tables. */
  networkTraces(): string[] {
    return networkTraces(this.instance, [`${this.subnet}.0/24`, poolOf(this.subnet).replace(/^base=|,.*$/g, '')]);
  }
}
