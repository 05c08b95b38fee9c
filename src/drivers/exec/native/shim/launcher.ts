/** Launches prepared tasks: starts a shim, waits until its payload runs, and undoes a launch that failed. */
import { countRaces } from '../../../../ffi/call/retry.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import type { CgroupManager } from '../cgroups/container-groups.ts';
import type { PreparedTask } from '../prepared-task.ts';
import { type LaunchedShim, type LaunchOptions, launchError, launchShim } from './launch.ts';
import type { ShimBinary } from './shim-binary.ts';
import type { ShimChildren } from './shim-children.ts';
import type { ShimConnection } from './shim-connection.ts';
import type { Launched, LaunchReport } from './shim-protocol.ts';

/** A launch that takes longer hangs in the kernel, on a dead network filesystem for example. */
const LAUNCH_TIMEOUT_MS = 60_000;

export interface LauncherContext {
  readonly binary: ShimBinary;
  readonly children: ShimChildren;
  readonly cgroups: Pick<CgroupManager, 'kill'>;
}

interface LaunchWork {
  /** What there is to do while the shim works on another processor. */
  readonly meanwhile?: () => void;
  /** What belongs to a launch that worked: when it fails, so has the launch. */
  readonly launched?: (report: Launched) => void;
}

export class Launcher {
  readonly #context: LauncherContext;

  constructor(context: LauncherContext) {
    this.#context = context;
  }

  /** Starts a shim and waits until its payload runs. On failure nothing of it runs and the task is undone. */
  async launch(
    task: PreparedTask,
    terminal: number | null,
    what: Pick<LaunchOptions, 'containerId' | 'run'>,
    then: LaunchWork = {},
  ): Promise<LaunchedShim & { launched: Launched }> {
    const { binary, children, cgroups } = this.#context;
    let shim: LaunchedShim | undefined;
    try {
      try {
        shim = launchShim({ ...what, task, binary: binary.open(), terminal });
      } finally {
        task.release();
      }
      children.started(shim.shimPid);
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
      if (what.run !== null) await cgroups.kill(what.containerId).catch(() => {});
      task.undo();
      throw error;
    }
  }

  /** Resolves when the shim is gone; its payload, if there is one, dies with it. */
  #abandon({ shimPid, connection }: LaunchedShim): Promise<void> {
    const { children } = this.#context;
    children.kill(shimPid);
    return new Promise((resolve) => {
      connection.listen({
        closed: () => {
          children.leaving(shimPid);
          resolve();
        },
      });
    });
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
