/** A root of its own for each test, containers in it, and the removal of everything whatever the test did. */
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Instance } from '../../../src/drivers/contract/driver.ts';
import type { ExecDriver, StdioSession, TaskExit, TaskSpec } from '../../../src/drivers/contract/exec.ts';
import { readExitRecord } from '../../../src/drivers/exec/native/shim/exit-record.ts';
import { PLAIN_TASK } from '../../support/exec-specs.ts';
import { until } from '../../support/wait.ts';

export const BUSYBOX = '/bin/busybox';

export interface LogEntry {
  readonly log: string;
  readonly stream: 'stdout' | 'stderr';
  readonly time: string;
}

export const newId = (): string => randomBytes(32).toString('hex');

/** What a shell in the container runs. */
export const shell = (script: string): string[] => [BUSYBOX, 'sh', '-c', script];

export class Fixture {
  readonly instance: Instance;
  readonly driver: ExecDriver;
  readonly exits: TaskExit[] = [];
  readonly #drivers: ExecDriver[] = [];
  readonly #makeDriver: (instance: Instance) => ExecDriver;

  constructor(makeDriver: (instance: Instance) => ExecDriver) {
    const root = mkdtempSync('/tmp/tsd-test-');
    this.instance = { id: randomBytes(3).toString('hex'), root, runDir: join(root, 'run') };
    this.#makeDriver = makeDriver;
    const bin = join(root, 'rootfs', 'bin');
    mkdirSync(bin, { recursive: true });
    cpSync(BUSYBOX, join(bin, 'busybox'));
    for (const name of ['dev', 'proc', 'sys', 'tmp', 'etc']) mkdirSync(join(root, 'rootfs', name));
    this.driver = this.newDriver();
    this.driver.onExit((exit) => this.exits.push(exit));
  }

  /** Another driver on the same root, as a supervisor that was started again has it. */
  newDriver(): ExecDriver {
    const driver = this.#makeDriver(this.instance);
    this.#drivers.push(driver);
    return driver;
  }

  spec(argv: readonly string[], changes: Partial<TaskSpec> = {}): TaskSpec {
    const containerId = changes.containerId ?? newId();
    const directory = join(this.instance.root, 'containers', containerId);
    mkdirSync(directory, { recursive: true });
    return {
      ...PLAIN_TASK,
      containerId,
      root: { type: 'bind', source: join(this.instance.root, 'rootfs') },
      argv,
      hostname: 'test',
      capabilities: ['KILL'],
      log: { path: join(directory, `${containerId}-json.log`), maxBytes: 10 << 20, maxFiles: 5 },
      ...changes,
    };
  }

  exited(containerId: string): Promise<TaskExit> {
    return until(`exit of ${containerId}`, () => this.exits.find((exit) => exit.containerId === containerId));
  }

  async runToEnd(spec: TaskSpec): Promise<TaskExit> {
    await this.driver.start(spec);
    return this.exited(spec.containerId);
  }

  recordPath(containerId: string, run = 1): string {
    return join(this.instance.root, 'execdriver/native', containerId, `exit.${run}`);
  }

  record(containerId: string, run = 1) {
    return readExitRecord(this.recordPath(containerId, run));
  }

  /** Ends everything and removes the root. */
  async dispose(): Promise<void> {
    const last = this.newDriver();
    for (const id of last.list()) {
      await last.kill(id);
      await until(`the drivers to see the end of ${id}`, () => this.#drivers.every((driver) => !driver.running(id)));
      await last.remove(id);
    }
    for (const driver of this.#drivers) driver.close();
    rmSync(this.instance.root, { recursive: true, force: true });
  }
}

export function readLog(path: string): LogEntry[] {
  if (!existsSync(path)) return [];
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LogEntry);
}

export const logText = (path: string): string =>
  readLog(path)
    .map((entry) => entry.log)
    .join('');

/** Everything a session says until its end. */
export async function finish(session: StdioSession): Promise<{ stdout: string; stderr: string; exitCode: number }> {
  const [stdout, stderr, exitCode] = await Promise.all([
    buffer(session.stdout),
    buffer(session.stderr),
    session.exited,
  ]);
  return { stdout: stdout.toString(), stderr: stderr.toString(), exitCode };
}

/** A process is alive, and not only waiting to be reaped. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'latin1'));
  } catch {
    return false;
  }
}

/** Pids of the shims that serve this container. */
export function shimsOf(containerId: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        return (
          readFileSync(`/proc/${pid}/cmdline`, 'latin1').startsWith(`tsdocker-shim\0${containerId}`) && isAlive(pid)
        );
      } catch {
        return false;
      }
    });
}

/** The process that looks at a path for a process that started one look, and its shim. */
export function lookOf(parent: number): { readonly shim: number; readonly process: number } {
  const parents = new Map(shimsOf('look').map((pid) => [pid, parentOf(pid)]));
  for (const [pid, shim] of parents) if (shim !== null && parents.get(shim) === parent) return { shim, process: pid };
  throw new Error('nobody looks');
}

/** Pid of the parent of a process; null when it is gone. */
export function parentOf(pid: number): number | null {
  try {
    return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);
  } catch {
    return null;
  }
}
