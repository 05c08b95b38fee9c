/** Starts runs: one at a time per container, and each run once. */
import { TsdError } from '../../../model/errors/errors.ts';
import type { TaskHandle, TaskSpec } from '../../contract/exec.ts';
import type { AwaitedRuns } from './awaited-runs.ts';
import type { CgroupManager } from './cgroups/container-groups.ts';
import { openConsole } from './console.ts';
import { fillVolumes } from './copy-up.ts';
import type { TaskDevices } from './docker-records.ts';
import { JOINS_NOTHING, openJoined } from './joined-namespaces.ts';
import type { RunFiles } from './run-files.ts';
import { begun, type Runs } from './runs.ts';
import type { Launcher } from './shim/launcher.ts';
import type { TaskCompiler } from './task-compiler.ts';

const NO_DEVICES: TaskDevices = { nodes: [], policy: [] };

export interface RunStartsContext {
  readonly cgroups: Pick<CgroupManager, 'clear'>;
  readonly compiler: Pick<TaskCompiler, 'task'>;
  readonly files: RunFiles;
  readonly launcher: Launcher;
  readonly runs: Runs;
  readonly awaited: Pick<AwaitedRuns, 'listening' | 'over'>;
}

export class RunStarts {
  readonly #context: RunStartsContext;
  readonly #starting = new Set<string>();

  constructor(context: RunStartsContext) {
    this.#context = context;
  }

  /** True while a container is being started. */
  get areUnderWay(): boolean {
    return this.#starting.size > 0;
  }

  /** As {@link ExecDriver.start}. */
  async start(spec: TaskSpec): Promise<TaskHandle> {
    const { containerId, run } = spec;
    const { runs } = this.#context;
    const active = runs.get(containerId);
    if (active?.handle.run === run) return active.handle;
    if (active !== null) throw stillAlive(active.handle);
    if (this.#starting.has(containerId)) throw conflict(`${containerId} is being started`);
    if (runs.record(spec) !== null) throw conflict(`run ${run} of ${containerId} has already ended`);
    this.#starting.add(containerId);
    try {
      return await this.#startRun(spec);
    } finally {
      this.#starting.delete(containerId);
    }
  }

  async #startRun(spec: TaskSpec): Promise<TaskHandle> {
    const { containerId, run } = spec;
    const { cgroups, compiler, files, launcher, runs, awaited } = this.#context;
    const socket = files.socket(containerId, run);
    files.create(containerId, run);
    files.forgetRunsBefore(containerId, run);
    const console = spec.tty ? openConsole(spec.terminalSize) : null;
    let joined = JOINS_NOTHING;
    try {
      joined = openJoined(spec.shared ?? {}, runs);
      // Of an earlier run; counters begin at zero.
      await cgroups.clear(containerId);
      await fillVolumes(spec);
      const task = compiler.task(spec, { devpts: console?.devpts ?? null, joined });
      const ofRun = {
        number: run,
        log: spec.log,
        socket,
        recordDirectory: files.directory(containerId),
        listening: () => awaited.listening(containerId, { socket, tty: spec.tty, stdin: spec.stdin || spec.tty }),
      };
      const { launched, connection } = await launcher.launch(
        task,
        console?.master ?? null,
        { containerId, run: ofRun },
        {
          meanwhile: () => files.writeContainer(spec, task.devices ?? NO_DEVICES, task.cgroupPaths),
          launched: (report) => {
            const { handle, shim } = begun(spec, report);
            files.writeState(handle, shim, spec.recorded?.network ?? null, task.cgroupPaths);
          },
        },
      );
      const { handle, shim } = begun(spec, launched);
      runs.follow(handle, shim, connection);
      return handle;
    } catch (error) {
      files.endRun(containerId, run);
      throw error;
    } finally {
      awaited.over(containerId);
      console?.close();
      joined.close();
    }
  }
}

/** Why a container can be neither started nor removed. */
export function stillAlive({ containerId, run }: Pick<TaskHandle, 'containerId' | 'run'>): TsdError {
  return conflict(`run ${run} of ${containerId} is alive`);
}

function conflict(message: string): TsdError {
  return new TsdError('TSD_CONTAINER_SETUP', message, { class: 'conflict' });
}
