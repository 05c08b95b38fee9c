/** A supervisor of its own on private paths and a private bridge, and what it is asked to start. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { SupervisorClient } from '../../dist/bench/client.js';

const TSDOCKER = resolve(import.meta.dirname, '../../bin/tsdocker');

const manifest = (app, count, fields = '') =>
  `app: ${app}\n${app === 'warm' ? 'images: { busybox: { host: [busybox] } }\n' : ''}containers:\n${Array.from({ length: count }, (_, index) => `  c${index}: { image: warm/busybox, command: [busybox, sleep, "1000000"], stopSignal: SIGKILL${fields} }\n`).join('')}`;

export class PrivateSupervisor {
  #base;
  #address;
  #client;
  #daemon = null;
  #launcher;

  /** @param launcher what the supervisor's command line begins with */
  constructor(directory, launcher = []) {
    this.#launcher = launcher;
    this.#base = mkdtempSync(join(directory, 'tsd-bench-'));
    this.#address = `unix://${join(this.#base, 'run', 'tsdocker.sock')}`;
    this.#client = new SupervisorClient(this.#address);
  }

  async start() {
    const at = (name) => join(this.#base, name);
    mkdirSync(at('manifests'));
    const log = openSync(at('daemon.log'), 'a');
    const directories = ['--root', at('root'), '--run-dir', at('run'), '--manifests', at('manifests')];
    const network = ['--default-bridge', `tsdb${process.pid % 10_000}`, '--bip', '10.233.0.1/24'];
    const args = ['daemon', ...directories, ...network, '-H', this.#address, '--pidfile', ''];
    // As packaging/systemd/tsdocker.service has it.
    const env = { ...process.env, NODE_OPTIONS: '--max-semi-space-size=2' };
    const [program, ...rest] = [...this.#launcher, TSDOCKER, ...args];
    this.#daemon = spawn(program, rest, { stdio: ['ignore', log, log], env });
    for (;;) {
      const answers = await this.#client.info().then(
        () => true,
        () => false,
      );
      if (answers) break;
      if (this.#daemon.exitCode !== null) throw new Error(readFileSync(at('daemon.log'), 'utf8'));
      await sleep(20);
    }
    // The image is made once, outside the measurement.
    await this.run('warm', 1, { keep: true });
  }

  get address() {
    return this.#address;
  }

  get pid() {
    return this.#daemon.pid;
  }

  get directory() {
    return this.#base;
  }

  /** Of its control groups and interfaces. */
  get instance() {
    return readFileSync(join(this.#base, 'root', 'instance'), 'utf8').trim();
  }

  info() {
    return this.#client.info();
  }

  async pidOf(container) {
    return (await this.#client.describe('container', container)).view.pid;
  }

  /** Milliseconds from the request to all being ready, and those of the last container's ops. */
  async run(app, count, { keep = false, fields = '' } = {}) {
    const result = await this.apply(app, manifest(app, count, fields));
    if (!keep) await this.#remove(app);
    return result;
  }

  /** The same of a manifest, which stays. */
  async apply(app, text) {
    const input = [{ file: join(this.#base, `${app}.yaml`), baseDir: this.#base, text }];
    const ops = {};
    const started = performance.now();
    let last;
    for await (const event of this.#client.apply(input, { dryRun: false, waitMs: 300_000, settleMs: 0 })) {
      if (event.type === 'op' && event.status === 'done') ops[event.id.split(' ')[0]] = event.ms;
      last = event;
    }
    const ms = performance.now() - started;
    if (last?.type !== 'ready') throw new Error(`apply: ${JSON.stringify(last)}`);
    return { ms, ops };
  }

  /** Milliseconds of `tsdocker apply --wait`, without the settle time. */
  async runByCli(app) {
    const file = join(this.#base, `${app}.yaml`);
    writeFileSync(file, manifest(app, 1));
    const started = performance.now();
    execFileSync(TSDOCKER, ['apply', '-f', file, '--wait=60s', '--settle', '0'], {
      env: { ...process.env, TSDOCKER_HOST: this.#address },
    });
    const ms = performance.now() - started;
    await this.#remove(app);
    return ms;
  }

  memoryMiB() {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
  }

  async stop() {
    const request = { files: [], resources: [], all: true, waitMs: 300_000 };
    for await (const event of this.#client.remove(request)) void event;
    const gone = new Promise((done) => this.#daemon.once('exit', done));
    this.#daemon.kill('SIGTERM');
    await gone;
    rmSync(this.#base, { recursive: true, force: true });
  }

  async #remove(app) {
    const file = join(this.#base, `${app}.yaml`);
    const request = { files: [{ file, baseDir: this.#base, text: '' }], resources: [], all: false, waitMs: 60_000 };
    for await (const event of this.#client.remove(request)) void event;
  }
}
