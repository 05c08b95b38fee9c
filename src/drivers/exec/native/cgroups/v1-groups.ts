/**
 * A container's groups in the hierarchies of cgroup v1: one in each, whatever limits it has, so that the root of none is
 * shared with the host. One that cannot be made leaves the container in the group of the supervisor there, and is known.
 */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { constants as os } from 'node:os';
import { dirname, join } from 'node:path';
import { TsdError, toTsdError } from '../../../../model/errors/errors.ts';
import { errnoOf, makeGroup, removeEmptyGroup, writeControl } from './group-files.ts';
import type { Controller, V1Hierarchy } from './hierarchies.ts';

/** Every thread of it, one by one; unlike `cgroup.procs` a process with one thread gets in without waiting for all CPUs. */
export const TASKS = 'tasks';

/** New groups of cpuset are empty, and take no process until these are written. */
const CPUSET_FILES = ['cpuset.cpus', 'cpuset.mems'];

const has = ({ name }: V1Hierarchy, controller: string): boolean => name.split(',').includes(controller);

/** A hierarchy in which there can be no group, and why. */
export interface Shortcoming {
  readonly hierarchy: string;
  readonly reason: string;
}

/** Answers of mkdir(2) that another moment may not give. */
const PASSING: readonly (number | undefined)[] = [
  os.errno.ENOMEM,
  os.errno.ENOSPC,
  os.errno.EMFILE,
  os.errno.ENFILE,
  os.errno.EAGAIN,
];

/** The host does not have it, now or later: no reason to run nothing at all. */
function isOfHost(error: unknown): boolean {
  if (error instanceof TsdError && error.step === 'mkdir') return !PASSING.includes(error.errno);
  return (error instanceof TsdError && error.errno !== undefined) || errnoOf(error) !== null;
}

/** A container's group in a hierarchy. */
export interface V1Group {
  readonly hierarchy: V1Hierarchy;
  readonly path: string;
}

function make(hierarchy: V1Hierarchy, path: string): void {
  if (!makeGroup(path) || !has(hierarchy, 'cpuset')) return;
  try {
    for (const file of CPUSET_FILES) {
      writeControl(join(path, file), readFileSync(join(dirname(path), file), 'utf8').trim());
    }
  } catch (error) {
    removeEmptyGroup(path);
    throw error;
  }
}

/** With the group around it, which may have gone with the last container. */
function makeWithParent(hierarchy: V1Hierarchy, path: string): void {
  try {
    make(hierarchy, path);
  } catch (error) {
    if (!(error instanceof TsdError) || error.errno !== os.errno.ENOENT) throw error;
    make(hierarchy, dirname(path));
    make(hierarchy, path);
  }
}

export class V1Groups {
  readonly #hierarchies: readonly V1Hierarchy[];
  readonly #instanceName: string;

  constructor(hierarchies: readonly V1Hierarchy[], instanceName: string) {
    this.#hierarchies = hierarchies;
    this.#instanceName = instanceName;
  }

  has(controller: Controller): boolean {
    return this.#hierarchies.some((hierarchy) => has(hierarchy, controller));
  }

  /** The instance's directories, whether they are there or not. */
  parents(): readonly string[] {
    return this.#hierarchies.map(({ directory }) => join(directory, this.#instanceName));
  }

  /** The instance's directory for a controller. */
  parent(controller: Controller): string {
    const found = this.#hierarchies.find((hierarchy) => has(hierarchy, controller));
    if (found === undefined) throw new TsdError('TSD_BUG', `no cgroup v1 hierarchy for ${controller}`);
    return join(found.directory, this.#instanceName);
  }

  /** The container's directory for a controller, whether it is there or not. */
  group(controller: Controller, containerId: string): string {
    return join(this.parent(controller), containerId);
  }

  /** Its groups that are there. */
  of(containerId: string): readonly V1Group[] {
    return this.#hierarchies
      .map((hierarchy) => ({ hierarchy, path: join(hierarchy.directory, this.#instanceName, containerId) }))
      .filter(({ path }) => existsSync(path));
  }

  /**
   * Makes its groups, those that are there already left out, and does without those that this host does not let us have.
   * @throws TsdError where that is one of `needed`, and where another moment may do
   */
  make(containerId: string, needed: readonly Controller[]): void {
    for (const hierarchy of this.#hierarchies) {
      try {
        makeWithParent(hierarchy, join(hierarchy.directory, this.#instanceName, containerId));
      } catch (error) {
        if (!isOfHost(error) || needed.some((controller) => has(hierarchy, controller))) throw error;
      }
    }
  }

  /** Makes those that limits need. */
  makeFor(containerId: string, controllers: readonly Controller[]): void {
    for (const hierarchy of this.#hierarchies) {
      if (!controllers.some((controller) => has(hierarchy, controller))) continue;
      makeWithParent(hierarchy, join(hierarchy.directory, this.#instanceName, containerId));
    }
  }

  /** Tries in each hierarchy what a start does there. */
  shortcomings(): readonly Shortcoming[] {
    return this.#hierarchies.flatMap((hierarchy) => {
      const group = join(hierarchy.directory, this.#instanceName, `check-${process.pid}`);
      try {
        makeWithParent(hierarchy, group);
        try {
          accessSync(join(group, TASKS), constants.W_OK);
        } finally {
          for (const path of [group, dirname(group)]) removeEmptyGroup(path);
        }
        return [];
      } catch (error) {
        return [{ hierarchy: hierarchy.name, reason: toTsdError(error).message }];
      }
    });
  }
}
