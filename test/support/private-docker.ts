/** A dockerd with data, sockets and network namespace of its own, which touches nothing of the host's. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { until } from './wait.ts';

export const DOCKER_INSTALLED = ['dockerd', 'docker'].every(
  (program) => spawnSync(program, ['--version']).error === undefined,
);

export class PrivateDocker {
  readonly #directory = mkdtempSync('/tmp/tsd-test-docker-');
  readonly #socket = `unix://${join(this.#directory, 'socket')}`;
  #child: ChildProcess | null = null;

  async start(): Promise<this> {
    const at = (name: string): string => join(this.#directory, name);
    const log = openSync(at('log'), 'a');
    const daemon = ['--data-root', at('data'), '--exec-root', at('exec'), '--pidfile', at('pid'), '-H', this.#socket];
    const rest = ['--bridge=none', '--iptables=false', '--ip6tables=false'];
    const own = ['-n', '-m', '--propagation', 'private', 'dockerd'];
    const child = spawn('unshare', [...own, ...daemon, ...rest], { stdio: ['ignore', log, log] });
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
    return execFileSync('docker', ['-H', this.#socket, ...args], { encoding: 'utf8', maxBuffer: 2 ** 26 });
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
