/** `docker run` and Docker's API on a dockerd of its own, in a network and mount namespace of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readdirSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const GROUPS = '/sys/fs/cgroup';
const IMAGE = 'tsdocker-bench-busybox';
const COMMAND = ['/bin/busybox', 'sleep', '1000000'];

/** Of all that a dockerd of ours runs. */
export const DOCKER_GROUP = `tsdocker-bench-${process.pid}`;

export const dockerInstalled = () => ['dockerd', 'docker'].every((name) => !spawnSync(name, ['--version']).error);

export class PrivateDocker {
  #directory;
  #socket;
  #child = null;
  #launcher;
  #kept = [];

  /** @param launcher what its command line begins with, in a network namespace of its own */
  constructor(directory, launcher = ['unshare', '-n', '-m', '--propagation', 'private']) {
    this.#launcher = launcher;
    this.#directory = mkdtempSync(join(directory, 'tsd-bench-docker-'));
    this.#socket = join(this.#directory, 'socket');
  }

  async start() {
    const at = (name) => join(this.#directory, name);
    const log = openSync(at('log'), 'a');
    const paths = `--data-root ${at('data')} --exec-root ${at('exec')} --pidfile ${at('pid')} -H unix://${this.#socket}`;
    // Its bridge and rules are made in its network namespace, where nobody else sees them.
    const groups = `--cgroup-parent /${DOCKER_GROUP} --exec-opt native.cgroupdriver=cgroupfs`;
    const program = `ip link set lo up && exec dockerd ${paths} ${groups}`;
    const [first, ...rest] = [...this.#launcher, 'sh', '-c', program];
    this.#child = spawn(first, rest, { stdio: ['ignore', log, log] });
    while (spawnSync('docker', ['-H', `unix://${this.#socket}`, 'info']).status !== 0) {
      if (this.#child.exitCode !== null) throw new Error(`dockerd ended:\n${readFileSync(at('log'), 'utf8')}`);
      await sleep(100);
    }
    const archive = spawnSync('tar', ['-C', '/', '-c', 'bin/busybox'], { maxBuffer: 2 ** 26 });
    if (spawnSync('docker', ['-H', `unix://${this.#socket}`, 'import', '-', IMAGE], { input: archive.stdout }).status)
      throw new Error('docker import failed');
  }

  get address() {
    return `unix://${this.#socket}`;
  }

  /** The id of a container that runs until {@link stop}. */
  keepOne(options = [], command = ['/bin/busybox', 'sh', '-c', 'echo hello; exec /bin/busybox sleep 1000000']) {
    const id = this.command('run', '-d', ...options, IMAGE, ...command);
    this.#kept.push(id);
    return id;
  }

  /** What the docker client says. */
  command(...args) {
    const { stdout, stderr, status } = spawnSync('docker', ['-H', this.address, ...args], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    return stdout.trim();
  }

  /** Milliseconds of `docker run -d`. */
  async runByCli() {
    const started = performance.now();
    const { stdout } = spawnSync('docker', ['-H', `unix://${this.#socket}`, 'run', '-d', IMAGE, ...COMMAND], {
      encoding: 'utf8',
    });
    const ms = performance.now() - started;
    await this.#remove(stdout.trim());
    return ms;
  }

  /** Milliseconds until so many containers, asked for at the same time, have been created and started. */
  async run(count, hostConfig = {}) {
    const started = performance.now();
    const ids = await Promise.all(
      Array.from({ length: count }, async () => {
        const config = { Image: IMAGE, Cmd: COMMAND, HostConfig: hostConfig };
        const { Id } = JSON.parse(await this.#ask('POST', '/containers/create', config));
        await this.#ask('POST', `/containers/${Id}/start`);
        return Id;
      }),
    );
    const ms = performance.now() - started;
    await Promise.all(ids.map((id) => this.#remove(id)));
    return ms;
  }

  async stop() {
    for (const id of this.#kept) await this.#remove(id);
    if (this.#child?.exitCode === null) {
      const gone = new Promise((done) => this.#child.once('exit', done));
      this.#child.kill('SIGTERM');
      await gone;
    }
    for (const hierarchy of ['.', ...readdirSync(GROUPS)]) {
      const group = join(GROUPS, hierarchy, DOCKER_GROUP);
      if (existsSync(group)) rmdirSync(group);
    }
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #remove(id) {
    return this.#ask('DELETE', `/containers/${id}?force=1`);
  }

  #ask(method, path, body) {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' };
      const call = request({ socketPath: this.#socket, method, path, headers, agent: false }, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          if (answer.statusCode < 300) resolve(text);
          else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
        });
      });
      call.on('error', reject);
      call.end(body && JSON.stringify(body));
    });
  }
}
