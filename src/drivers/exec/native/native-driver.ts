/**
 * The native exec driver: compiles a container into a syscall program and has a shim execute it. The shim is the parent of
 * the payload and outlives us; what we hold of a run is a connection to it.
 */
import { closeSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { bootId, SIGKILL, sealedMemoryFile, signalProcess, startTimeOf } from '../../../ffi/processes.ts';
import { openTerminal, type Terminal } from '../../../ffi/pty.ts';
import type { Clock } from '../../../model/clock.ts';
import { TsdError } from '../../../model/errors.ts';
import type {
  AdoptResult,
  ExecDriver,
  ExecSpec,
  Fingerprint,
  Instance,
  ResourceLimits,
  StdioSession,
  TaskExit,
  TaskHandle,
  TaskSpec,
} from '../../contract.ts';
import { ActiveRun } from './active-run.ts';
import type { CgroupManager } from './cgroups/manager.ts';
import { type ExitRecord, readExitRecord } from './exit-record.ts';
import { type LaunchedShim, type LaunchOptions, launchError, launchShim } from './launch.ts';
import type { PreparedTask } from './prepared-task.ts';
import { RunFiles } from './run-files.ts';
import { ShimChildren } from './shim-children.ts';
import { ShimConnection } from './shim-connection.ts';
import { encodeNumber, type Launched, REQUEST } from './shim-protocol.ts';
import { stdioSession } from './stdio-session.ts';

/** The part of the cgroup manager that a run needs after its start. */
export type RunCgroups = Pick<
  CgroupManager,
  'kill' | 'remove' | 'list' | 'oomKilled' | 'pause' | 'unpause' | 'updateResources'
>;

/** Turns specifications into programs. `terminal` is the host path of the payload's terminal, null without one. */
export interface TaskCompiler {
  task(spec: TaskSpec, terminal: string | null): PreparedTask;
  exec(spec: ExecSpec, target: TaskHandle, terminal: string | null): PreparedTask;
}

export interface NativeDriverOptions {
  readonly instance: Instance;
  readonly clock: Clock;
  /** Path of the built shim. */
  readonly shimBinary: string;
  readonly cgroups: RunCgroups;
  readonly compiler: TaskCompiler;
}

/** A launch that takes longer hangs in the kernel, on a dead network filesystem for example. */
const LAUNCH_TIMEOUT_MS = 60_000;
/** How long a killed payload may take to disappear before its run is given up as it is. */
const DEATH_TIMEOUT_MS = 10_000;

export function createNativeDriver(options: NativeDriverOptions): ExecDriver {
  return new NativeDriver(options);
}

class NativeDriver implements ExecDriver {
  readonly name = 'native';
  readonly capabilities = { exec: true, attach: true, pause: true, limits: true };
  readonly #options: NativeDriverOptions;
  readonly #files: RunFiles;
  readonly #children = new ShimChildren();
  readonly #runs = new Map<string, ActiveRun>();
  readonly #starting = new Set<string>();
  readonly #listeners: ((exit: TaskExit) => void)[] = [];
  #binary: number | undefined;
  #closed = false;

  constructor(options: NativeDriverOptions) {
    this.#options = options;
    this.#files = new RunFiles(options.instance);
  }

  fingerprint(): Fingerprint {
    try {
      this.#shimBinary();
      return { works: true, problems: [], attributes: { shim: this.#options.shimBinary } };
    } catch (error) {
      const problem = { what: (error as Error).message, fix: 'Build it: npm run build.' };
      return { works: false, problems: [problem], attributes: {} };
    }
  }

  async start(spec: TaskSpec): Promise<TaskHandle> {
    const { containerId, run } = spec;
    const active = this.#runs.get(containerId);
    if (active?.handle.run === run) return active.handle;
    if (active !== undefined) throw conflict(`run ${active.handle.run} of ${containerId} is alive`);
    if (this.#starting.has(containerId)) throw conflict(`${containerId} is being started`);
    if (this.#record(containerId, run) !== null) throw conflict(`run ${run} of ${containerId} has already ended`);
    this.#starting.add(containerId);
    try {
      return await this.#startRun(spec);
    } finally {
      this.#starting.delete(containerId);
    }
  }

  async #startRun(spec: TaskSpec): Promise<TaskHandle> {
    const { containerId, run } = spec;
    this.#files.create(containerId, run);
    this.#files.forgetRunsBefore(containerId, run);
    const terminal = spec.tty ? openTerminal() : null;
    try {
      const task = this.#options.compiler.task(spec, terminal?.path ?? null);
      const shim = await this.#launch(task, terminal, {
        containerId,
        run: {
          number: run,
          log: spec.log,
          socket: this.#files.socket(containerId, run),
          recordDirectory: this.#files.directory(containerId),
        },
      });
      const handle = handleOf(spec, shim.launched);
      this.#files.writeContainer(spec, task.cgroupPaths);
      this.#files.writeState(handle, task.cgroupPaths);
      this.#follow(handle, shim.connection);
      return handle;
    } catch (error) {
      this.#files.endRun(containerId, run);
      throw error;
    } finally {
      if (terminal !== null) closeSync(terminal.master);
    }
  }

  /** Starts a shim and waits until its payload runs. On failure the shim is gone and the task is undone. */
  async #launch(
    task: PreparedTask,
    terminal: Terminal | null,
    what: Pick<LaunchOptions, 'containerId' | 'run'>,
  ): Promise<LaunchedShim & { launched: Launched }> {
    let shim: LaunchedShim | undefined;
    try {
      shim = launchShim({ ...what, task, binary: this.#shimBinary(), terminal: terminal?.master ?? null });
      task.release();
      this.#children.started(shim.shimPid);
      const launched = await this.#launchReport(shim);
      if (launched.failure !== null) throw launchError(launched.failure, task);
      return { ...shim, launched };
    } catch (error) {
      if (shim === undefined) task.release();
      else this.#abandon(shim);
      task.undo();
      throw error;
    }
  }

  async #launchReport(shim: LaunchedShim): Promise<Launched> {
    const abort = new AbortController();
    const late = delay(LAUNCH_TIMEOUT_MS, undefined, { signal: abort.signal, ref: false }).then(() => {
      throw new TsdError('TSD_TIMEOUT', `the container was not set up within ${LAUNCH_TIMEOUT_MS / 1000} s`, {
        step: 'launch',
      });
    });
    late.catch(() => {});
    try {
      return await Promise.race([shim.connection.launched(), late]);
    } finally {
      abort.abort();
    }
  }

  /** Its payload, if there is one, dies with it. */
  #abandon(shim: LaunchedShim): void {
    const startTime = startTimeOf(shim.shimPid);
    if (startTime !== null) signalProcess(shim.shimPid, startTime, SIGKILL);
    shim.connection.listen({ closed: () => this.#children.leaving(shim.shimPid) });
    shim.connection.close();
  }

  #follow(handle: TaskHandle, connection: ShimConnection): ActiveRun {
    const run = new ActiveRun(handle, connection);
    this.#runs.set(handle.containerId, run);
    connection.listen({
      closed: () => {
        if (!this.#closed) void this.#settle(run);
      },
    });
    return run;
  }

  /** The shim has left: the exit record is there, or the shim was killed and nobody knows. */
  async #settle(run: ActiveRun): Promise<void> {
    const { handle } = run;
    this.#children.leaving(handle.shimPid);
    const record = this.#recordOrUnknown(handle.containerId, handle.run);
    if (record === null) await this.#bury(handle);
    const exit = this.#exit(handle, record);
    this.#files.endRun(handle.containerId, handle.run);
    this.#runs.delete(handle.containerId);
    run.end(exit);
    for (const listener of this.#listeners) listener(exit);
  }

  /** Makes sure that nothing of a run whose shim was killed goes on; the kernel has been told to kill the payload with it. */
  async #bury(handle: Pick<TaskHandle, 'containerId' | 'pid' | 'startTime'>): Promise<void> {
    signalProcess(handle.pid, handle.startTime, SIGKILL);
    await this.#options.cgroups.kill(handle.containerId);
    const giveUp = this.#options.clock.now().bootMs + DEATH_TIMEOUT_MS;
    while (startTimeOf(handle.pid) === handle.startTime && this.#options.clock.now().bootMs < giveUp) await delay(1);
  }

  #record(containerId: string, run: number): ExitRecord | null {
    return readExitRecord(this.#files.exitRecord(containerId, run));
  }

  /** A record that cannot be read says as much as none. */
  #recordOrUnknown(containerId: string, run: number): ExitRecord | null {
    try {
      return this.#record(containerId, run);
    } catch {
      return null;
    }
  }

  #exit(handle: Pick<TaskHandle, 'containerId' | 'run'>, record: ExitRecord | null): TaskExit {
    return {
      containerId: handle.containerId,
      run: handle.run,
      exitCode: record?.exitCode ?? null,
      signal: record?.signal ?? null,
      oomKilled: this.#options.cgroups.oomKilled(handle.containerId),
      finishedAtMs: record?.finishedAtMs ?? this.#options.clock.now().wallMs,
    };
  }

  async adopt(wanted: Pick<TaskHandle, 'containerId' | 'run'> & Partial<TaskHandle>): Promise<AdoptResult> {
    const { containerId, run } = wanted;
    const active = this.#runs.get(containerId);
    if (active?.handle.run === run) return { state: 'running', handle: active.handle };
    const record = this.#record(containerId, run);
    if (record !== null) return this.#adoptEnded(wanted, record);
    const found = await this.#connect(containerId, run);
    if (found !== null) return { state: 'running', handle: found.handle };
    // The shim may have left between the two looks.
    const late = this.#record(containerId, run);
    if (late !== null) return this.#adoptEnded(wanted, late);
    await this.#buryLost({ ...this.#files.readState(containerId), ...wanted });
    return this.#adoptEnded(wanted, null);
  }

  #adoptEnded(wanted: Pick<TaskHandle, 'containerId' | 'run'>, record: ExitRecord | null): AdoptResult {
    const exit = this.#exit(wanted, record);
    this.#files.endRun(wanted.containerId, wanted.run);
    return { state: 'exited', exit };
  }

  /** Follows the run whose shim listens on its socket; null when there is none. */
  async #connect(containerId: string, run: number): Promise<ActiveRun | null> {
    const connection = await ShimConnection.connect(this.#files.socket(containerId, run));
    if (connection === null) return null;
    try {
      const status = await connection.status();
      if (status.containerId !== containerId || status.run !== run) {
        throw new TsdError('TSD_SHIM', `another run answers on ${this.#files.socket(containerId, run)}`);
      }
      return this.#follow(handleOf({ containerId, run }, status.launched), connection);
    } catch (error) {
      connection.close();
      if (error instanceof TsdError && error.code === 'TSD_SHIM' && error.step === 'ask the shim') return null;
      throw error;
    }
  }

  /** A run without a record and without a shim that answers. Pids of another boot mean nothing. */
  async #buryLost(handle: Pick<TaskHandle, 'containerId'> & Partial<TaskHandle>): Promise<void> {
    if (handle.bootId !== bootId()) return;
    const { containerId, pid, startTime, shimPid, shimStartTime } = handle;
    if (shimPid !== undefined && shimStartTime !== undefined && startTimeOf(shimPid) === shimStartTime) {
      throw new TsdError('TSD_SHIM', `shim ${shimPid} of ${containerId} runs but its socket is gone`, {
        step: 'adopt',
        hint: `Kill process ${shimPid}; the container ends with it and follows its restart policy.`,
      });
    }
    if (pid !== undefined && startTime !== undefined) await this.#bury({ containerId, pid, startTime });
  }

  running(containerId: string): TaskHandle | null {
    return this.#runs.get(containerId)?.handle ?? null;
  }

  onExit(listener: (exit: TaskExit) => void): void {
    this.#listeners.push(listener);
  }

  async signal(containerId: string, signal: number): Promise<void> {
    const { connection } = this.#need(containerId);
    await connection.demand(`signal ${signal}`, REQUEST.kill, encodeNumber(signal));
  }

  async kill(containerId: string): Promise<void> {
    const run = this.#runs.get(containerId) ?? (await this.#unadopted(containerId));
    if (run === null) return;
    // The payload may end by itself meanwhile, which is as good.
    await run.connection.request(REQUEST.kill, encodeNumber(SIGKILL)).catch(() => {});
    await this.#options.cgroups.kill(containerId);
    await run.ended;
  }

  /** A run that an earlier supervisor left and nobody adopted. */
  async #unadopted(containerId: string): Promise<ActiveRun | null> {
    for (const run of this.#files.runsWithSocket(containerId)) {
      const found = await this.#connect(containerId, run);
      if (found !== null) return found;
    }
    return null;
  }

  async pause(containerId: string): Promise<void> {
    this.#need(containerId);
    await this.#options.cgroups.pause(containerId);
  }

  async unpause(containerId: string): Promise<void> {
    this.#need(containerId);
    await this.#options.cgroups.unpause(containerId);
  }

  updateResources(containerId: string, resources: ResourceLimits): void {
    this.#need(containerId);
    this.#options.cgroups.updateResources(containerId, resources);
  }

  async exec(containerId: string, spec: ExecSpec): Promise<StdioSession> {
    const { handle } = this.#need(containerId);
    const terminal = spec.tty ? openTerminal() : null;
    try {
      const task = this.#options.compiler.exec(spec, handle, terminal?.path ?? null);
      const { launched, connection, shimPid } = await this.#launch(task, terminal, { containerId, run: null });
      const session = stdioSession(connection, launched.pid, spec.stdin || spec.tty);
      const reap = (): void => this.#children.leaving(shimPid);
      session.exited.then(reap, reap);
      return session;
    } finally {
      if (terminal !== null) closeSync(terminal.master);
    }
  }

  async attach(containerId: string): Promise<StdioSession> {
    const { handle } = this.#need(containerId);
    const connection = await ShimConnection.connect(this.#files.socket(containerId, handle.run));
    if (connection === null) throw notRunning(containerId);
    try {
      const { stdin } = await connection.status();
      await connection.demand('attach', REQUEST.attach);
      return stdioSession(connection, handle.pid, stdin);
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  async remove(containerId: string): Promise<void> {
    const active = this.#runs.get(containerId) ?? (await this.#unadopted(containerId));
    if (active !== null) throw conflict(`run ${active.handle.run} of ${containerId} is alive`);
    await this.#options.cgroups.remove(containerId);
    this.#files.remove(containerId);
  }

  list(): readonly string[] {
    return [...new Set([...this.#files.list(), ...this.#options.cgroups.list()])];
  }

  close(): void {
    this.#closed = true;
    for (const { connection } of this.#runs.values()) connection.close();
    this.#runs.clear();
    this.#children.close();
    if (this.#binary !== undefined) closeSync(this.#binary);
    this.#binary = undefined;
  }

  #need(containerId: string): ActiveRun {
    const run = this.#runs.get(containerId);
    if (run === undefined) throw notRunning(containerId);
    return run;
  }

  #shimBinary(): number {
    if (this.#binary !== undefined) return this.#binary;
    let content: Buffer;
    try {
      content = readFileSync(this.#options.shimBinary);
    } catch (cause) {
      const step = `read ${this.#options.shimBinary}`;
      throw new TsdError('TSD_UNSUPPORTED_HOST', `the shim is missing: ${this.#options.shimBinary}`, { step, cause });
    }
    this.#binary = sealedMemoryFile('tsdocker-shim', content);
    return this.#binary;
  }
}

function handleOf(key: Pick<TaskHandle, 'containerId' | 'run'>, launched: Launched): TaskHandle {
  return {
    containerId: key.containerId,
    run: key.run,
    bootId: bootId(),
    shimPid: launched.shimPid,
    // Null only when it has ended since; then no process has this start time.
    shimStartTime: startTimeOf(launched.shimPid) ?? '0',
    pid: launched.pid,
    startTime: launched.startTime,
    startedAtMs: launched.startedAtMs,
  };
}

function conflict(message: string): TsdError {
  return new TsdError('TSD_CONTAINER_SETUP', message, { class: 'conflict' });
}

function notRunning(containerId: string): TsdError {
  return new TsdError('TSD_CONTAINER_NOT_RUNNING', `${containerId} is not running`);
}
