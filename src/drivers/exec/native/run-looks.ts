/** Looks at the payloads of live runs, as the kernel has them now. */
import { closeSync } from 'node:fs';
import { namespaceIdentity } from '../../../ffi/process/namespaces.ts';
import { isEnding } from '../../../ffi/process/processes.ts';
import type { TaskHandle } from '../../contract/exec.ts';
import type { CgroupManager } from './cgroups/container-groups.ts';
import { openNetnsOf } from './netns.ts';
import { factsOf } from './run-facts.ts';
import type { Runs } from './runs.ts';

export class RunLooks {
  readonly #runs: Runs;
  readonly #cgroups: Pick<CgroupManager, 'sharedGroups'>;
  /** A process never loses its filter. */
  readonly #unfiltered = new WeakMap<TaskHandle, boolean>();
  /** No run leaves the groups that it was started in. */
  readonly #shared = new WeakMap<TaskHandle, readonly string[]>();
  /** Nor does its shim let go of the network that it was started in. */
  readonly #networks = new WeakMap<TaskHandle, string>();

  constructor(runs: Runs, cgroups: Pick<CgroupManager, 'sharedGroups'>) {
    this.#runs = runs;
    this.#cgroups = cgroups;
  }

  /** As {@link ExecDriver.openNetns}. */
  openNetns(containerId: string): number {
    const { handle, shim } = this.#runs.need(containerId);
    return openNetnsOf({ pid: handle.pid, shimPid: shim.shimPid });
  }

  /** As {@link ExecDriver.startedIn}. */
  startedIn(containerId: string, netnsFd: number): boolean | null {
    const handle = this.#runs.get(containerId)?.handle;
    if (handle === undefined) return null;
    const started = this.#networks.get(handle) ?? this.#lookAtNetwork(containerId);
    if (started === null) return null;
    this.#networks.set(handle, started);
    return started === namespaceIdentity(netnsFd);
  }

  #lookAtNetwork(containerId: string): string | null {
    let fd: number;
    try {
      fd = this.openNetns(containerId);
    } catch {
      // It ends, or has left for a namespace of its own: nothing is known of where it was started.
      return null;
    }
    try {
      return namespaceIdentity(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** As {@link ExecDriver.sharedGroups}. */
  sharedGroups(containerId: string): readonly string[] {
    const run = this.#runs.get(containerId);
    if (run === null) return [];
    const { handle } = run;
    const known = this.#shared.get(handle);
    if (known !== undefined) return known;
    const found = this.#cgroups.sharedGroups(containerId, handle.pid);
    // The kernel takes a process that is ending out of its groups.
    if (isEnding(handle.pid, handle.startTime)) return [];
    this.#shared.set(handle, found);
    return found;
  }

  /** As {@link ExecDriver.unfiltered}. */
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

  /** As {@link ExecDriver.ending}. */
  ending(containerId: string): boolean {
    const run = this.#runs.get(containerId);
    try {
      return run !== null && isEnding(run.handle.pid, run.handle.startTime);
    } catch {
      // A failed look says nothing about the payload.
      return true;
    }
  }
}
