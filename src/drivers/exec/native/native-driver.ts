/**
 * The native exec driver: a container is compiled into a syscall program and a shim executes it. The shim is the parent of
 * the payload and outlives us; what we hold of a run is a connection to it.
 */

import { closeSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { countRaces } from '../../../ffi/call/retry.ts';
import { UnionOfLists } from '../../../ffi/files/listed-directory.ts';
import type { Sysinfo } from '../../../ffi/host/sysinfo.ts';
import { isEnding, SIGKILL, sealedMemoryFile } from '../../../ffi/process/processes.ts';
import { openTerminalIn } from '../../../ffi/process/pty.ts';
import type { Clock } from '../../../model/clock.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { Fingerprint, Instance } from '../../contract/driver.ts';
import type {
  AdoptResult,
  AttachedSession,
  BoundFile,
  ExecDriver,
  ExecSpec,
  ResourceLimits,
  ResourceUsage,
  StdioSession,
  TaskExit,
  TaskHandle,
  TaskSpec,
} from '../../contract/exec.ts';
import { AttachPlaces } from './attach-places.ts';
import { prepareRenewal, stalePlace } from './bind-renewal.ts';
import type { CgroupManager } from './cgroups/container-groups.ts';
import { hostSources } from './cgroups/hierarchies.ts';
import { createCgroupManager } from './cgroups/manager.ts';
import { openConsole } from './console.ts';
import { fillVolumes } from './copy-up.ts';
import type { TaskDevices } from './docker-records.ts';
import { fingerprintNative } from './fingerprint.ts';
import { openNetnsOf } from './netns.ts';
import { PathLooks } from './path-looks.ts';
import type { PreparedTask } from './prepared-task.ts';
import { prepareTask } from './program/compile.ts';
import { type OpenContainer, prepareExec } from './program/compile-exec.ts';
import { type ContainerEntry, openContainer } from './program/container-entry.ts';
import { factsOf } from './run-facts.ts';
import { RunFiles } from './run-files.ts';
import { begun, type Run, Runs } from './runs.ts';
import { type LaunchedShim, type LaunchOptions, launchError, launchShim } from './shim/launch.ts';
import { ShimChildren } from './shim/shim-children.ts';
import { ShimConnection } from './shim/shim-connection.ts';
import { shimRuns } from './shim/shim-identity.ts';
import { encodeEnd, encodeNumber, type Launched, type LaunchReport, REQUEST } from './shim/shim-protocol.ts';
import { stdioSession } from './shim/stdio-session.ts';

export interface NativeDriverOptions {
  readonly instance: Instance;
  readonly clock: Clock;
  /** Path of the built shim. */
  readonly shimBinary: string;
  /** Left out, it is read here. */
  readonly sysinfo?: Sysinfo;
}

/** The part of the cgroup manager that a run needs after its start. @internal */
export type RunCgroups = Pick<
  CgroupManager,
  | 'clear'
  | 'kill'
  | 'remove'
  | 'sharedGroups'
  | 'shortcomings'
  | 'removeAll'
  | 'arePopulated'
  | 'list'
  | 'oomKilled'
  | 'pause'
  | 'unpause'
  | 'updateResources'
  | 'usage'
>;

/** Turns specifications into programs. `devpts` is what the payload's terminal is of, null without one. @internal */
export interface TaskCompiler {
  task(spec: TaskSpec, devpts: number | null): PreparedTask;
  exec(spec: ExecSpec, container: OpenContainer): PreparedTask;
}

/** @throws TSD_UNSUPPORTED_HOST where the unified cgroup hierarchy is not mounted. */
export function createNativeDriver(options: NativeDriverOptions): ExecDriver {
  const cgroups = createCgroupManager(options.instance, hostSources(options.sysinfo));
  return new NativeDriver(options, cgroups, {
    task: (spec, devpts) => prepareTask(spec, { cgroups, devpts }),
    exec: (spec, container) => prepareExec(spec, container, { cgroups, devpts: null }),
  });
}

interface LaunchWork {
  /** What there is to do while the shim works on another processor. */
  readonly meanwhile?: () => void;
  /** What belongs to a launch that worked: when it fails, so has the launch. */
  readonly launched?: (report: Launched) => void;
}

const NO_DEVICES: TaskDevices = { nodes: [], policy: [] };

/** A launch that takes longer hangs in the kernel, on a dead network filesystem for example. */
const LAUNCH_TIMEOUT_MS = 60_000;

/** @internal */
export class NativeDriver implements ExecDriver {
  readonly name = 'native';
  readonly capabilities = { exec: true, attach: true, pause: true, limits: true };
  readonly #shimPath: string;
  readonly #cgroups: RunCgroups;
  readonly #compiler: TaskCompiler;
  readonly #files: RunFiles;
  readonly #ids = new UnionOfLists();
  readonly #children = new ShimChildren();
  readonly #runs: Runs;
  readonly #starting = new Set<string>();
  readonly #places = new AttachPlaces();
  readonly #looks = new PathLooks(this.#children, () => this.#shimBinary());
  /** A process never loses its filter. */
  readonly #unfiltered = new WeakMap<TaskHandle, boolean>();
  /** No run leaves the groups that it was started in. */
  readonly #shared = new WeakMap<TaskHandle, readonly string[]>();
  #binary: number | undefined;

  constructor(options: NativeDriverOptions, cgroups: RunCgroups, compiler: TaskCompiler) {
    this.#shimPath = options.shimBinary;
    this.#cgroups = cgroups;
    this.#compiler = compiler;
    this.#files = new RunFiles(options.instance);
    this.#runs = new Runs({ files: this.#files, children: this.#children, cgroups, clock: options.clock });
  }

  fingerprint(): Fingerprint {
    return fingerprintNative(this.#shimPath, () => this.#shimBinary(), this.#cgroups.shortcomings());
  }

  async start(spec: TaskSpec): Promise<TaskHandle> {
    const { containerId, run } = spec;
    const active = this.#runs.get(containerId);
    if (active?.handle.run === run) return active.handle;
    if (active !== null) throw conflict(`run ${active.handle.run} of ${containerId} is alive`);
    if (this.#starting.has(containerId)) throw conflict(`${containerId} is being started`);
    if (this.#runs.record(spec) !== null) throw conflict(`run ${run} of ${containerId} has already ended`);
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
    const console = spec.tty ? openConsole() : null;
    try {
      // Of an earlier run; counters begin at zero.
      await this.#cgroups.clear(containerId);
      await fillVolumes(spec);
      const task = this.#compiler.task(spec, console?.devpts ?? null);
      const ofRun = {
        number: run,
        log: spec.log,
        socket: this.#files.socket(containerId, run),
        recordDirectory: this.#files.directory(containerId),
      };
      const { launched, connection } = await this.#launch(
        task,
        console?.master ?? null,
        { containerId, run: ofRun },
        {
          meanwhile: () => this.#files.writeContainer(spec, task.devices ?? NO_DEVICES, task.cgroupPaths),
          launched: (report) => {
            const { handle, shim } = begun(spec, report);
            this.#files.writeState(handle, shim, spec.recorded?.network ?? null, task.cgroupPaths);
          },
        },
      );
      const { handle, shim } = begun(spec, launched);
      this.#runs.follow(handle, shim, connection);
      return handle;
    } catch (error) {
      this.#files.endRun(containerId, run);
      throw error;
    } finally {
      console?.close();
    }
  }

  /** Starts a shim and waits until its payload runs. On failure nothing of it runs and the task is undone. */
  async #launch(
    task: PreparedTask,
    terminal: number | null,
    what: Pick<LaunchOptions, 'containerId' | 'run'>,
    then: LaunchWork = {},
  ): Promise<LaunchedShim & { launched: Launched }> {
    let shim: LaunchedShim | undefined;
    try {
      try {
        shim = launchShim({ ...what, task, binary: this.#shimBinary(), terminal });
      } finally {
        task.release();
      }
      this.#children.started(shim.shimPid);
      then.meanwhile?.();
      const launched = await launchReport(shim.connection);
      const error = launched.failure === null ? null : launchError(launched.failure, task);
      countRaces('openat2', { retried: launched.retries, givenUp: error?.code === 'TSD_LOOKUP' ? 1 : 0 });
      if (error !== null) throw error;
      then.launched?.(launched);
      return { ...shim, launched };
    } catch (error) {
      if (shim !== undefined) await this.#abandon(shim);
      // A payload that has changed its credentials meanwhile does not die with its shim. A session's group is its container's.
      if (what.run !== null) await this.#cgroups.kill(what.containerId).catch(() => {});
      task.undo();
      throw error;
    }
  }

  /** Resolves when the shim is gone; its payload, if there is one, dies with it. */
  #abandon({ shimPid, connection }: LaunchedShim): Promise<void> {
    this.#children.kill(shimPid);
    return new Promise((resolve) => {
      connection.listen({
        closed: () => {
          this.#children.leaving(shimPid);
          resolve();
        },
      });
    });
  }

  adopt(handle: Pick<TaskHandle, 'containerId' | 'run'> & Partial<TaskHandle>): Promise<AdoptResult> {
    return this.#runs.adopt(handle);
  }

  running(containerId: string): TaskHandle | null {
    return this.#runs.get(containerId)?.handle ?? null;
  }

  openNetns(containerId: string): number {
    const { handle, shim } = this.#runs.need(containerId);
    return openNetnsOf({ pid: handle.pid, shimPid: shim.shimPid });
  }

  unrecorded(containerId: string): string | null {
    return this.#runs.unrecorded(containerId);
  }

  sharedGroups(containerId: string): readonly string[] {
    const handle = this.running(containerId);
    if (handle === null) return [];
    const known = this.#shared.get(handle);
    if (known !== undefined) return known;
    const found = this.#cgroups.sharedGroups(containerId, handle.pid);
    // The kernel takes a process that is ending out of its groups.
    if (isEnding(handle.pid, handle.startTime)) return [];
    this.#shared.set(handle, found);
    return found;
  }

  unfiltered(containerId: string): boolean | null {
    const run = this.#runs.get(containerId);
    if (run === null) return null;
    const { handle, shim } = run;
    const known = this.#unfiltered.get(handle);
    if (known !== undefined) return known;
    try {
      const found = factsOf(handle, shim).filter === null;
      this.#unfiltered.set(handle, found);
      return found;
    } catch {
      return null;
    }
  }

  ending(containerId: string): boolean {
    const handle = this.running(containerId);
    try {
      return handle !== null && isEnding(handle.pid, handle.startTime);
    } catch {
      // Who could not look has learned nothing about the payload either.
      return true;
    }
  }

  onExit(listener: (exit: TaskExit) => void): void {
    this.#runs.onExit(listener);
  }

  async signal(containerId: string, signal: number): Promise<void> {
    await this.#runs.demand(this.#runs.need(containerId), `signal ${signal}`, REQUEST.kill, encodeNumber(signal));
  }

  async end(containerId: string, signal: number, killAfterMs: number): Promise<boolean> {
    const run = this.#runs.need(containerId);
    try {
      await this.#runs.demand(run, `end with signal ${signal}`, REQUEST.end, encodeEnd(signal, killAfterMs));
      return true;
    } catch (error) {
      // A shim of an older version, or one whose socket is gone.
      if (!(error instanceof TsdError) || error.errno !== constants.errno.ENOSYS) throw error;
      await this.signal(containerId, signal);
      return false;
    }
  }

  async kill(containerId: string): Promise<void> {
    const run = await this.#find(containerId);
    if (run === null) return;
    // The payload may end by itself meanwhile, which is as good.
    await run.connection.request(REQUEST.kill, encodeNumber(SIGKILL)).catch(() => {});
    // From the end of the run on, what is in its group is the next one.
    await this.#cgroups.kill(containerId, () => this.#runs.get(containerId) !== run);
    await this.#runs.buried(run);
  }

  alive(): boolean {
    return this.#runs.areAlive || this.#starting.size > 0 || this.#cgroups.arePopulated();
  }

  giveBack(): void {
    this.#cgroups.removeAll();
  }

  async pause(containerId: string): Promise<void> {
    this.#runs.need(containerId);
    await this.#cgroups.pause(containerId);
  }

  async unpause(containerId: string): Promise<void> {
    this.#runs.need(containerId);
    await this.#cgroups.unpause(containerId);
  }

  updateResources(containerId: string, resources: ResourceLimits): void {
    this.#runs.need(containerId);
    this.#cgroups.updateResources(containerId, resources);
  }

  usage(containerId: string): ResourceUsage | null {
    return this.#runs.get(containerId) === null ? null : this.#cgroups.usage(containerId);
  }

  async renewFiles(containerId: string, files: readonly BoundFile[]): Promise<readonly string[]> {
    const { handle } = this.#runs.need(containerId);
    if (files.length === 0) return [];
    const entry = openContainer(handle);
    try {
      const renewed: string[] = [];
      for (const file of files) if (await this.#renew(containerId, file, entry)) renewed.push(file.target);
      return renewed;
    } finally {
      entry.close();
    }
  }

  async #renew(containerId: string, file: BoundFile, entry: ContainerEntry): Promise<boolean> {
    const place = stalePlace(file, entry.root);
    if (place === null) return false;
    const task = prepareRenewal(file, place, entry);
    const { launched, connection, shimPid } = await this.#launch(task, null, { containerId, run: null });
    const session = stdioSession(connection, launched.pid, false);
    session.stdout.resume();
    session.stderr.resume();
    await session.exited.finally(() => this.#children.leaving(shimPid));
    if (stalePlace(file, entry.root) !== null) throw notRenewed(file);
    return true;
  }

  reach(path: string): Promise<number> {
    return this.#looks.reach(path);
  }

  async exec(containerId: string, spec: ExecSpec): Promise<StdioSession> {
    const { handle, shim } = this.#runs.need(containerId);
    const facts = factsOf(handle, shim);
    const entry = openContainer(handle);
    let terminal: number | null = null;
    try {
      if (spec.tty) terminal = openTerminalIn(entry.root).master;
      const task = this.#compiler.exec(spec, { containerId, pid: handle.pid, facts, entry });
      const { launched, connection, shimPid } = await this.#launch(task, terminal, { containerId, run: null });
      const session = stdioSession(connection, launched.pid, spec.stdin || spec.tty);
      const reap = (): void => this.#children.leaving(shimPid);
      session.exited.then(reap, reap);
      return session;
    } finally {
      if (terminal !== null) closeSync(terminal);
      entry.close();
    }
  }

  async attach(containerId: string): Promise<AttachedSession> {
    const { handle, shim } = this.#runs.need(containerId);
    const leave = this.#places.take(containerId);
    try {
      const socket = this.#files.socket(containerId, handle.run);
      const connection = ShimConnection.connect(socket, ShimConnection.ofSession);
      if (connection === null && shimRuns(shim)) throw noSocket(socket);
      const status = (await connection?.status()) ?? null;
      if (connection === null || status === null) throw justEnded(containerId);
      const session = stdioSession(connection, handle.pid, status.stdin);
      await connection.request(REQUEST.attach).catch(() => Promise.reject(justEnded(containerId)));
      session.exited.then(leave, leave);
      return { ...session, tty: status.tty };
    } catch (error) {
      leave();
      throw error;
    }
  }

  async remove(containerId: string): Promise<void> {
    const run = await this.#find(containerId);
    if (run !== null) throw conflict(`run ${run.handle.run} of ${containerId} is alive`);
    await this.#cgroups.remove(containerId);
    this.#files.remove(containerId);
  }

  list(): readonly string[] {
    return this.#ids.of(this.#files.list(), this.#cgroups.list());
  }

  close(): void {
    this.#runs.close();
    this.#looks.close();
    this.#children.close();
    if (this.#binary !== undefined) closeSync(this.#binary);
    this.#binary = undefined;
  }

  async #find(containerId: string): Promise<Run | null> {
    return this.#runs.get(containerId) ?? (await this.#runs.unadopted(containerId));
  }

  #shimBinary(): number {
    if (this.#binary !== undefined) return this.#binary;
    let content: Buffer;
    try {
      content = readFileSync(this.#shimPath);
    } catch (cause) {
      const step = `read ${this.#shimPath}`;
      throw new TsdError('TSD_UNSUPPORTED_HOST', `the shim is missing: ${this.#shimPath}`, { step, cause });
    }
    this.#binary = sealedMemoryFile('tsdocker-shim', content);
    return this.#binary;
  }
}

async function launchReport(connection: ShimConnection): Promise<LaunchReport> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `the container was not set up within ${LAUNCH_TIMEOUT_MS / 1000} s`;
    timer = setTimeout(() => reject(new TsdError('TSD_TIMEOUT', message, { step: 'launch' })), LAUNCH_TIMEOUT_MS);
  });
  try {
    return await Promise.race([connection.launched(), late]);
  } finally {
    clearTimeout(timer);
  }
}

function notRenewed({ source, target }: BoundFile): TsdError {
  return new TsdError('TSD_CONTAINER_SETUP', `${target} is still not the file that is at ${source} now`, {
    step: `rebind ${source} to ${target}`,
    hint: '`tsdocker restart` binds all files again.',
  });
}

function justEnded(containerId: string): TsdError {
  return new TsdError('TSD_CONTAINER_NOT_RUNNING', `${containerId} has just ended`);
}

function noSocket(path: string): TsdError {
  return new TsdError('TSD_SHIM', `${path} is gone, by which its output would be read`, {
    step: 'attach',
    hint: '`tsdocker logs -f` shows its output; `tsdocker restart` gives it a new one.',
  });
}

function conflict(message: string): TsdError {
  return new TsdError('TSD_CONTAINER_SETUP', message, { class: 'conflict' });
}
