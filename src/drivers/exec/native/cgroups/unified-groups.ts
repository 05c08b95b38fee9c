/** The groups of containers in the unified hierarchy, and what the kernel does to all of a container there. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { groupPaths } from '../../../../ffi/host/cgroup-mounts.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import {
  errnoOf,
  groupPids,
  keyedValue,
  makeGroup,
  removeEmptyGroup,
  waitForGroup,
  writeControl,
} from './group-files.ts';
import type { Controller, Hierarchies } from './hierarchies.ts';

/** None of a process that has ended, or that is so deep down that the kernel does not say where: below a group of its own. */
export function pathsOfProcess(pid: number): ReadonlyMap<string, string> {
  try {
    return groupPaths(readFileSync(`/proc/${pid}/cgroup`, 'utf8'));
  } catch (thrown) {
    if (['ENOENT', 'ESRCH', 'ENAMETOOLONG'].includes(errnoOf(thrown)?.code ?? '')) return new Map();
    throw thrown;
  }
}

export class UnifiedGroups {
  readonly #hierarchies: Hierarchies;
  /** The instance's own directory, whether it is there or not. */
  readonly parent: string;
  /** What has been prepared: the instance's directory, controllers in it. */
  readonly #prepared = new Set<string>();

  constructor(hierarchies: Hierarchies, instanceName: string) {
    this.#hierarchies = hierarchies;
    this.parent = join(hierarchies.unified, instanceName);
  }

  /** The container's directory, whether it is there or not. */
  group(containerId: string): string {
    return join(this.parent, containerId);
  }

  /** @throws TsdError TSD_CONTAINER_NOT_RUNNING when the container has no group */
  present(containerId: string): string {
    const group = this.group(containerId);
    if (existsSync(group)) return group;
    throw new TsdError('TSD_CONTAINER_NOT_RUNNING', `container ${containerId.slice(0, 12)} has no control group`);
  }

  has(controller: Controller): boolean {
    return this.#hierarchies.unifiedControllers.has(controller);
  }

  /** Reports whether a process is in the group or below it. */
  isPopulated(group: string): boolean {
    return keyedValue(join(group, 'cgroup.events'), 'populated') === 1;
  }

  /** A group that passes controllers on may have no processes: who did that in a container has put its own further down. */
  placeOf(pid: number, unified: string): string {
    if (readFileSync(join(unified, 'cgroup.subtree_control'), 'utf8').trim() === '') return unified;
    const path = pathsOfProcess(pid).get('') ?? '/';
    const place = join(this.#hierarchies.unifiedMount, path);
    return place.startsWith(`${unified}/`) && existsSync(place) ? place : unified;
  }

  async freeze(containerId: string, frozen: 0 | 1): Promise<void> {
    const group = this.present(containerId);
    writeControl(join(group, 'cgroup.freeze'), String(frozen));
    await waitForGroup(
      () => `${frozen === 1 ? 'pause' : 'unpause'} container ${containerId.slice(0, 12)}`,
      () => keyedValue(join(group, 'cgroup.events'), 'frozen') === frozen,
    );
  }

  /** Removes the instance's directory when the last container is gone; the next one makes it again. */
  removeEmptyParent(): void {
    if (!removeEmptyGroup(this.parent)) return;
    for (const name of [...this.#prepared]) if (name !== 'self') this.#prepared.delete(name);
  }

  /** Forgets what has been prepared: it is removed. */
  forget(): void {
    this.#prepared.clear();
  }

  /** Makes the instance's directory, and passes the controllers on. */
  prepare(needed: readonly Controller[]): void {
    const { unified, selfInUnified } = this.#hierarchies;
    if (!this.#prepared.has('unified')) {
      makeGroup(this.parent);
      this.#prepared.add('unified');
    }
    for (const controller of needed) {
      if (this.#prepared.has(controller)) continue;
      if (selfInUnified && !this.#prepared.has('self')) {
        // A group that passes controllers on may not have processes of its own.
        makeGroup(join(unified, 'supervisor'));
        for (const pid of groupPids(unified)) writeControl(join(unified, 'supervisor', 'cgroup.procs'), String(pid));
        this.#prepared.add('self');
      }
      for (const group of [unified, this.parent]) writeControl(join(group, 'cgroup.subtree_control'), `+${controller}`);
      this.#prepared.add(controller);
    }
  }
}
