/**
 * Services of the host that think they are alone: a mount namespace in which /etc, /run and /var/lib are their own. The
 * network is the caller's.
 */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PATIENCE_MS, until } from './wait.ts';

const execute = promisify(execFile);

const SET_UP = `
set -e
for name in etc lib; do mkdir -p "$BASE/$name" "$BASE/$name-work"; done
mount -t overlay -o "lowerdir=/etc,upperdir=$BASE/etc,workdir=$BASE/etc-work" overlay /etc
mount -t overlay -o "lowerdir=/var/lib,upperdir=$BASE/lib,workdir=$BASE/lib-work" overlay /var/lib
mount -t tmpfs tmpfs /run
mkdir -p /run/dbus /run/lock
echo ready
exec cat
`;

interface Service {
  readonly child: ChildProcess;
  readonly log: string;
}

export class OwnServices {
  readonly #base = mkdtempSync(join(tmpdir(), 'tsd-test-services-'));
  readonly #running = new Map<string, Service>();
  #holder: ChildProcess | null = null;

  async open(): Promise<this> {
    const holder = spawn('unshare', ['-m', '--propagation', 'private', 'sh', '-c', SET_UP], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, BASE: this.#base },
    });
    this.#holder = holder;
    const [first] = (await once(holder.stdout, 'data')) as [Buffer];
    if (first.toString() !== 'ready\n') throw new Error('no mount namespace for services');
    return this;
  }

  /** What a command prints, with its errors where it fails. */
  run(program: string, ...args: readonly string[]): string {
    return execFileSync('nsenter', this.#inside(program, args), {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: PATIENCE_MS,
    });
  }

  /** As {@link run}, while this process goes on: a command may talk to a server of it. */
  async done(program: string, ...args: readonly string[]): Promise<void> {
    await execute('nsenter', this.#inside(program, args), { timeout: PATIENCE_MS });
  }

  /** Starts a service that stays in the foreground, and waits until it is `up`. */
  async start(name: string, up: () => boolean | Promise<boolean>, program: string, ...args: string[]): Promise<void> {
    mkdirSync(join(this.#base, 'log'), { recursive: true });
    const log = join(this.#base, 'log', name);
    const out = openSync(log, 'a');
    const child = spawn('nsenter', this.#inside(program, args), { stdio: ['ignore', out, out] });
    closeSync(out);
    this.#running.set(name, { child, log });
    await until(`${name} up`, async () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`${name} ended:\n${this.logOf(name)}`);
      return await up();
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${this.logOf(name)}`, { cause: error });
    });
  }

  logOf(name: string): string {
    const log = this.#running.get(name)?.log;
    return log === undefined ? '' : readFileSync(log, 'utf8').split('\n').slice(-30).join('\n');
  }

  async stop(name: string): Promise<void> {
    const service = this.#running.get(name);
    this.#running.delete(name);
    if (service === undefined || service.child.exitCode !== null || service.child.signalCode !== null) return;
    const gone = once(service.child, 'exit');
    service.child.kill('SIGTERM');
    await gone;
  }

  /** Ends what runs, the latest first. */
  async close(): Promise<void> {
    for (const name of [...this.#running.keys()].reverse()) await this.stop(name);
    const holder = this.#holder;
    if (holder !== null && holder.exitCode === null) {
      const gone = once(holder, 'exit');
      holder.kill('SIGKILL');
      await gone;
    }
    rmSync(this.#base, { recursive: true, force: true });
  }

  #inside(program: string, args: readonly string[]): string[] {
    return [`--mount=/proc/${this.#holder?.pid}/ns/mnt`, '--', program, ...args];
  }
}
