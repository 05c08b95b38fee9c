/** Containers on an overlay root of their own, as the native driver makes them, and the removal of everything after it. */
import { randomBytes } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Instance } from '../../../src/drivers/contract/driver.ts';
import type { ExecDriver, ExecSpec, TaskExit, TaskSpec } from '../../../src/drivers/contract/exec.ts';
import type { CgroupManager } from '../../../src/drivers/exec/native/cgroups/container-groups.ts';
import { createCgroupManager } from '../../../src/drivers/exec/native/cgroups/manager.ts';
import { createNativeDriver } from '../../../src/drivers/exec/native/native-driver.ts';
import { DEFAULT_CAPABILITIES } from '../../../src/model/capabilities.ts';
import { execSpec, PLAIN_TASK } from '../../support/exec-specs.ts';
import { until } from '../../support/wait.ts';

export const SHIM_BINARY = fileURLToPath(new URL('../../../build/tsdocker-shim', import.meta.url));
const TOOLS = [
  'sh',
  'cat',
  'ls',
  'id',
  'mount',
  'stat',
  'touch',
  'mkdir',
  'mknod',
  'grep',
  'sleep',
  'head',
  'hostname',
  'env',
  'pwd',
  'readlink',
  'chmod',
  'ps',
  'kill',
  'dd',
  'df',
  'tty',
  'wc',
  'rm',
  'true',
  'ulimit',
];

export interface Result {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly exit: TaskExit;
}

export class Containers {
  readonly instance: Instance;
  readonly cgroups: CgroupManager;
  readonly driver: ExecDriver;
  /** What the image's only layer holds; tests add to it before they start a container. */
  readonly image: string;
  readonly #exits: TaskExit[] = [];

  constructor() {
    const root = mkdtempSync('/tmp/tsd-test-');
    this.instance = { id: randomBytes(3).toString('hex'), root, runDir: join(root, 'run') };
    this.image = join(root, 'image');
    for (const name of ['bin', 'etc', 'tmp', 'empty']) mkdirSync(join(this.image, name), { recursive: true });
    mkdirSync(join(root, 'nothing'));
    cpSync('/bin/busybox', join(this.image, 'bin/busybox'));
    for (const tool of TOOLS) symlinkSync('busybox', join(this.image, 'bin', tool));
    this.file('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1001::/home/web:/bin/sh\n');
    this.file('etc/group', 'root:x:0:root\nadm:x:4:root,web\nweb:x:1001:\nextra:x:2000:web\n');
    this.cgroups = createCgroupManager(this.instance);
    this.driver = createNativeDriver({
      instance: this.instance,
      clock: { now: () => ({ wallMs: Date.now(), bootMs: performance.now() }) },
      shimBinary: SHIM_BINARY,
    });
    this.driver.onExit((exit) => this.#exits.push(exit));
  }

  /** Writes a file of the image. */
  file(path: string, content: string, mode = 0o644): void {
    mkdirSync(dirname(join(this.image, path)), { recursive: true });
    writeFileSync(join(this.image, path), content, { mode });
  }

  /** A directory on the host, outside the image. */
  hostDirectory(name: string): string {
    const path = join(this.instance.root, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  spec(argv: readonly string[], changes: Partial<TaskSpec> = {}): TaskSpec {
    const containerId = changes.containerId ?? randomBytes(32).toString('hex');
    const home = join(this.instance.root, 'containers', containerId);
    for (const name of ['upper', 'work']) mkdirSync(join(home, name), { recursive: true });
    return {
      ...PLAIN_TASK,
      containerId,
      root: {
        type: 'overlay',
        lowers: [this.image, join(this.instance.root, 'nothing')],
        upper: join(home, 'upper'),
        work: join(home, 'work'),
      },
      argv,
      hostname: 'box',
      capabilities: DEFAULT_CAPABILITIES,
      log: { path: join(home, 'json.log'), maxBytes: 10 << 20, maxFiles: 2 },
      ...changes,
    };
  }

  /** Runs a shell script in a new container until it ends. */
  async script(text: string, changes: Partial<TaskSpec> = {}): Promise<Result> {
    return this.run(this.spec(['sh', '-c', text], changes));
  }

  async run(spec: TaskSpec): Promise<Result> {
    await this.driver.start(spec);
    return this.result(spec);
  }

  async result(spec: TaskSpec): Promise<Result> {
    const exit = await until('the exit of the container', () =>
      this.#exits.find(({ containerId, run }) => containerId === spec.containerId && run === spec.run),
    );
    const text = (stream: string): string =>
      readFileSync(spec.log.path, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line) as { log: string; stream: string })
        .filter((entry) => entry.stream === stream)
        .map((entry) => entry.log)
        .join('');
    return { exitCode: exit.exitCode, stdout: text('stdout').trim(), stderr: text('stderr').trim(), exit };
  }

  /** Runs a shell script in a container that is there. */
  async exec(
    containerId: string,
    text: string,
    changes: Partial<ExecSpec> = {},
  ): Promise<{ code: number; out: string }> {
    const session = await this.driver.exec(containerId, execSpec(['sh', '-c', text], changes));
    const chunks: Buffer[] = [];
    for (const stream of [session.stdout, session.stderr]) stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    const code = await session.exited;
    return { code, out: Buffer.concat(chunks).toString().trim() };
  }

  async dispose(): Promise<void> {
    for (const id of this.driver.list()) {
      await this.driver.kill(id);
      await until('the end of the container', () => this.driver.running(id) === null);
      await this.driver.remove(id);
    }
    this.driver.close();
    rmSync(this.instance.root, { recursive: true, force: true });
  }
}
