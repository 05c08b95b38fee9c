/** A dockerd with data, sockets and network namespace of its own, which touches nothing of the host's. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './wait.ts';

export const DOCKER_INSTALLED = ['dockerd', 'docker'].every(
  (program) => spawnSync(program, ['--version']).error === undefined,
);

/** Without a bridge and rules of its own. */
const WITHOUT_NETWORK = ['--bridge=none', '--iptables=false', '--ip6tables=false'];

export class PrivateDocker {
  readonly #flags: readonly string[];
  readonly #directory = mkdtempSync('/tmp/tsd-test-docker-');
  readonly #socket = `unix://${join(this.#directory, 'socket')}`;
  #child: ChildProcess | null = null;

  /** @param flags of its network: it has a namespace of its own for it */
  constructor(flags: readonly string[] = WITHOUT_NETWORK) {
    this.#flags = flags;
  }

  get socket(): string {
    return this.#socket;
  }

  /** Of dockerd, whose network is its own. */
  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error('dockerd is not running');
    return pid;
  }

  async start(): Promise<this> {
    const at = (name: string): string => join(this.#directory, name);
    const log = openSync(at('log'), 'a');
    const daemon = ['--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('pid'), '-H', this.#socket];
    const own = ['-n', '-m', '--propagation', 'private', 'sh', '-c', 'ip link set lo up && exec dockerd "$@"', 'sh'];
    const child = spawn('unshare', [...own, ...daemon, ...this.#flags], { stdio: ['ignore', log, log] });
    closeSync(log);
    this.#child = child;
    await until('dockerd answering', async () => {
      if (child.exitCode !== null) throw new Error(`dockerd ended:\n${readFileSync(at('log'), 'utf8')}`);
      return spawnSync('docker', ['-H', this.#socket, 'info']).status === 0;
    });
    return this;
  }

  /** What the client prints. */
  run(...args: readonly string[]): string {
    return this.runWithInput('', ...args);
  }

  runWithInput(input: string | Buffer, ...args: readonly string[]): string {
    return execFileSync('docker', ['-H', this.#socket, ...args], { input, encoding: 'utf8', maxBuffer: 2 ** 26 });
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child && child.exitCode === null) {
      const gone = new Promise((done) => child.once('exit', done));
      child.kill('SIGTERM');
      await gone;
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
