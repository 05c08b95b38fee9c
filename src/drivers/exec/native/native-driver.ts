/**
 * The native exec driver: a container is compiled into a syscall program and a shim executes it. The shim is the parent of
 * the payload and outlives us; what we hold of a run is a connection to it.
 */
import { UnionOfLists } from '../../../ffi/files/listed-directory.ts';
import type { Sysinfo } from '../../../ffi/host/sysinfo.ts';
import type { Clock } from '../../../model/clock.ts';
import type { Fingerprint, Instance } from '../../contract/driver.ts';
import type {
  AdoptResult,
  AttachedSession,
  BoundFile,
  ExecDriver,
  ExecSpec,
  ResourceLimits,
  ResourceUsage,
  Statistics,
  StdioSession,
  TaskExit,
  TaskHandle,
  TaskSpec,
} from '../../contract/exec.ts';
import { AwaitedRuns } from './awaited-runs.ts';
import type { CgroupManager } from './cgroups/container-groups.ts';
import { hostSources } from './cgroups/hierarchies.ts';
import { createCgroupManager } from './cgroups/manager.ts';
import { FileRenewals } from './file-renewals.ts';
import { fingerprintNative } from './fingerprint.ts';
import { PathLooks } from './path-looks.ts';
import { prepareTask } from './program/compile.ts';
import { prepareExec } from './program/compile-exec.ts';
import { RunFiles } from './run-files.ts';
import { RunLooks } from './run-looks.ts';
import { RunSignals } from './run-signals.ts';
import { RunStarts, stillAlive } from './run-starts.ts';
import { Runs } from './runs.ts';
import { Sessions } from './sessions.ts';
import { Launcher } from './shim/launcher.ts';
import { ShimBinary } from './shim/shim-binary.ts';
import { ShimChildren } from './shim/shim-children.ts';
import type { TaskCompiler } from './task-compiler.ts';

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
  | 'statistics'
  | 'processes'
>;

/** @throws TSD_UNSUPPORTED_HOST where the unified cgroup hierarchy is not mounted. */
export function createNativeDriver(options: NativeDriverOptions): ExecDriver {
  const cgroups = createCgroupManager(options.instance, hostSources(options.sysinfo));
  return new NativeDriver(options, cgroups, {
    task: (spec, opened) => prepareTask(spec, { cgroups, ...opened }),
    exec: (spec, container) => prepareExec(spec, container, { cgroups }),
  });
}

/** The front of the driver: makes its parts and passes each call to the part that has this job. @internal */
export class NativeDriver implements ExecDriver {
  readonly name = 'native';
  readonly capabilities = { exec: true, attach: true, pause: true, limits: true };
  readonly #cgroups: RunCgroups;
  readonly #files: RunFiles;
  readonly #ids = new UnionOfLists();
  readonly #children = new ShimChildren();
  readonly #binary: ShimBinary;
  readonly #runs: Runs;
  readonly #starts: RunStarts;
  readonly #looks: RunLooks;
  readonly #signals: RunSignals;
  readonly #sessions: Sessions;
  readonly #renewals: FileRenewals;
  readonly #paths: PathLooks;

  constructor(options: NativeDriverOptions, cgroups: RunCgroups, compiler: TaskCompiler) {
    this.#cgroups = cgroups;
    const files = new RunFiles(options.instance);
    const binary = new ShimBinary(options.shimBinary);
    const children = this.#children;
    const launcher = new Launcher({ binary, children, cgroups });
    const runs = new Runs({ files, children, cgroups, clock: options.clock });
    this.#files = files;
    this.#binary = binary;
    this.#runs = runs;
    const awaited = new AwaitedRuns();
    this.#starts = new RunStarts({ cgroups, compiler, files, launcher, runs, awaited });
    this.#looks = new RunLooks(runs, cgroups);
    this.#signals = new RunSignals(runs, cgroups);
    this.#sessions = new Sessions({ children, compiler, files, launcher, runs, awaited });
    this.#renewals = new FileRenewals({ children, launcher, runs });
    this.#paths = new PathLooks(children, binary);
  }

  fingerprint(): Fingerprint {
    return fingerprintNative(this.#binary, this.#cgroups.shortcomings());
  }

  start(spec: TaskSpec): Promise<TaskHandle> {
    return this.#starts.start(spec);
  }

  adopt(handle: Pick<TaskHandle, 'containerId' | 'run'> & Partial<TaskHandle>): Promise<AdoptResult> {
    return this.#runs.adopt(handle);
  }

  running(containerId: string): TaskHandle | null {
    return this.#runs.get(containerId)?.handle ?? null;
  }

  openNetns(containerId: string): number {
    return this.#looks.openNetns(containerId);
  }

  startedIn(containerId: string, netnsFd: number): boolean | null {
    return this.#looks.startedIn(containerId, netnsFd);
  }

  unrecorded(containerId: string): string | null {
    return this.#runs.unrecorded(containerId);
  }

  sharedGroups(containerId: string): readonly string[] {
    return this.#looks.sharedGroups(containerId);
  }

  unfiltered(containerId: string): boolean | null {
    return this.#looks.unfiltered(containerId);
  }

  ending(containerId: string): boolean {
    return this.#looks.ending(containerId);
  }

  onExit(listener: (exit: TaskExit) => void): void {
    this.#runs.onExit(listener);
  }

  signal(containerId: string, signal: number): Promise<void> {
    return this.#signals.signal(containerId, signal);
  }

  end(containerId: string, signal: number, killAfterMs: number): Promise<boolean> {
    return this.#signals.end(containerId, signal, killAfterMs);
  }

  kill(containerId: string): Promise<void> {
    return this.#signals.kill(containerId);
  }

  alive(): boolean {
    return this.#runs.areAlive || this.#starts.areUnderWay || this.#cgroups.arePopulated();
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

  statistics(containerId: string): Statistics | null {
    return this.#runs.get(containerId) === null ? null : this.#cgroups.statistics(containerId);
  }

  processes(containerId: string): readonly number[] {
    return this.#runs.get(containerId) === null ? [] : this.#cgroups.processes(containerId);
  }

  renewFiles(containerId: string, files: readonly BoundFile[]): Promise<readonly string[]> {
    return this.#renewals.renewFiles(containerId, files);
  }

  reach(path: string): Promise<number> {
    return this.#paths.reach(path);
  }

  exec(containerId: string, spec: ExecSpec): Promise<StdioSession> {
    return this.#sessions.exec(containerId, spec);
  }

  attach(containerId: string): Promise<AttachedSession> {
    return this.#sessions.attach(containerId);
  }

  attachNext(containerId: string, signal: AbortSignal): Promise<AttachedSession> {
    return this.#sessions.attachNext(containerId, signal);
  }

  resize(containerId: string, rows: number, columns: number): Promise<void> {
    return this.#sessions.resize(containerId, rows, columns);
  }

  async remove(containerId: string): Promise<void> {
    const run = await this.#runs.find(containerId);
    if (run !== null) throw stillAlive(run.handle);
    await this.#cgroups.remove(containerId);
    this.#files.remove(containerId);
  }

  list(): readonly string[] {
    return this.#ids.of(this.#files.list(), this.#cgroups.list());
  }

  close(): void {
    this.#runs.close();
    this.#paths.close();
    this.#children.close();
    this.#binary.close();
  }
}
