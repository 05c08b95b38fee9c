/** What Docker's clients do with a container, by plain HTTP: the same calls to whichever daemon listens. */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { Connection } from './connection.mjs';

const IMAGE = 'tsdocker-bench-busybox:latest';
const COMMAND = ['/bin/busybox', 'sleep', '1000000'];
const TALKS = ['/bin/busybox', 'sh', '-c', 'echo hello; exec /bin/busybox sleep 1000000'];
/** Made at a time for a long list. */
const AT_ONCE = 10;

/** Milliseconds of some work, and what it returned. */
export async function timed(work) {
  const started = performance.now();
  const result = await work();
  return { ms: performance.now() - started, result };
}

/** `docker run -d`, the whole command. */
export async function runByClient(address) {
  const env = { ...process.env, DOCKER_HOST: address, DOCKER_CONFIG: '/nonexistent' };
  const { stdout } = await promisify(execFile)('docker', ['run', '-d', IMAGE, ...COMMAND], { env });
  return stdout.trim();
}

export class DockerCalls {
  #address;
  #connection;
  #kept = [];

  constructor(address) {
    this.#address = address;
    this.#connection = new Connection(address);
  }

  get address() {
    return this.#address;
  }

  /** Gives the daemon its image, and a container that runs until {@link close}. */
  async prepare() {
    const archive = spawnSync('tar', ['-C', '/', '-c', 'bin/busybox'], { maxBuffer: 2 ** 26 }).stdout;
    const env = { ...process.env, DOCKER_HOST: this.#address };
    const { status, stderr } = spawnSync('docker', ['import', '-', IMAGE], { env, input: archive });
    if (status !== 0) throw new Error(`docker import: ${stderr}`);
    const id = await this.create(TALKS);
    this.#kept.push(id);
    await this.start(id);
    return id;
  }

  async create(command = COMMAND) {
    return JSON.parse(await this.#connection.ask('POST', '/v1.45/containers/create', { Image: IMAGE, Cmd: command }))
      .Id;
  }

  start(id) {
    return this.#connection.ask('POST', `/v1.45/containers/${id}/start`);
  }

  stop(id) {
    return this.#connection.ask('POST', `/v1.45/containers/${id}/stop?t=0`);
  }

  remove(id) {
    return this.#connection.ask('DELETE', `/v1.45/containers/${id}?force=1`);
  }

  inspect(id) {
    return this.#connection.ask('GET', `/v1.45/containers/${id}/json`);
  }

  logs(id) {
    return this.#connection.ask('GET', `/v1.45/containers/${id}/logs?stdout=1&stderr=1`);
  }

  list() {
    return this.#connection.ask('GET', '/v1.45/containers/json?all=1');
  }

  /** Of a program that ends at once. */
  async makeExec(id) {
    const asks = { Cmd: ['/bin/busybox', 'true'], AttachStdout: true, AttachStderr: true };
    return JSON.parse(await this.#connection.ask('POST', `/v1.45/containers/${id}/exec`, asks)).Id;
  }

  /** Until its output has ended. */
  runExec(exec) {
    return this.#connection.ask('POST', `/v1.45/exec/${exec}/start`, { Detach: false, Tty: false });
  }

  async requireSuccess(exec) {
    const { ExitCode } = JSON.parse(await this.#connection.ask('GET', `/v1.45/exec/${exec}/json`));
    if (ExitCode !== 0) throw new Error(`exec ended with ${ExitCode}`);
  }

  /** So many containers that were made and not started, which stay until {@link close}. */
  async fill(count) {
    const lanes = Array.from({ length: AT_ONCE }, async (_, lane) => {
      const connection = new Connection(this.#address);
      for (let index = lane; index < count; index += AT_ONCE) {
        const body = { Image: IMAGE, Cmd: COMMAND };
        this.#kept.push(JSON.parse(await connection.ask('POST', '/v1.45/containers/create', body)).Id);
      }
      connection.close();
    });
    await Promise.all(lanes);
  }

  async close() {
    const connections = Array.from({ length: AT_ONCE }, () => new Connection(this.#address));
    const lanes = connections.map(async (connection) => {
      for (let id = this.#kept.pop(); id !== undefined; id = this.#kept.pop())
        await connection.ask('DELETE', `/v1.45/containers/${id}?force=1`);
      connection.close();
    });
    await Promise.all(lanes);
    this.#connection.close();
  }
}
