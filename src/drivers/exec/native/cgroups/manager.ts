/**
 * Control groups of containers, `tsdocker-<instance>/<container id>` in each hierarchy used.
 *
 * Every container has a group in the unified hierarchy, which its first process is cloned into: that costs nothing, and
 * it is what containers are found, killed and paused by and what the device filter is on. Under cgroup v1 limits need a
 * group in the hierarchy of their controller as well, and entering one takes a lock that costs milliseconds: these are
 * made only for the limits that are declared.
 */
import { closeSync, constants, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { constants as os } from 'node:os';
import { join } from 'node:path';
import { sysError } from '../../../../ffi/errno.ts';
import { ListedDirectory, UnionOfLists } from '../../../../ffi/listed-directory.ts';
import { describeProcess } from '../../../../ffi/processes.ts';
import { TsdError } from '../../../../model/errors.ts';
import type { Instance, ResourceLimits, ResourceUsage } from '../../../contract.ts';
import { DEFAULT_DEVICE_RULES } from '../devices.ts';
import { isContainerId } from '../run-files.ts';
import { DeviceFilters, type DevicePolicy } from './device-filter.ts';
import {
  groupPids,
  isEmptyGroup,
  keyedValue,
  makeGroup,
  removeEmptyGroup,
  tryRemoveGroup,
  waitForGroup,
  writeControl,
} from './group-files.ts';
import { type CgroupSources, type Controller, findHierarchies, type Hierarchies, hostSources } from './hierarchies.ts';
import { type LimitWrite, neededControllers, raisingMemory, v1Writes, v2Writes } from './limits.ts';
import { readUsage } from './usage.ts';

/** How a new process gets into a container's groups. */
export interface CgroupEntry {
  /** Directory in the unified hierarchy, for CLONE_INTO_CGROUP. Close-on-exec. */
  readonly directoryFd: number;
  /** Files into which the process writes `0`. */
  readonly procsFiles: readonly string[];
  /** Path of the group by controller; `unified` for the unified hierarchy. */
  readonly paths: Readonly<Record<string, string>>;
  /** Closes `directoryFd`. */
  release(): void;
}

export interface CgroupManager {
  /** True where limits are in the unified hierarchy (cgroup v2): then a container can be shown its own groups. */
  readonly unifiedOnly: boolean;
  /**
   * Makes the groups of a run, new ones with counters at zero.
   * @throws TsdError TSD_UNSUPPORTED_HOST for a limit whose controller this host does not have.
   */
  create(containerId: string, limits: ResourceLimits, devices: DevicePolicy): CgroupEntry;
  /** For another process in a container that has groups. @throws TsdError TSD_CONTAINER_NOT_RUNNING when it has none. */
  enter(containerId: string): CgroupEntry;
  /**
   * Sends SIGKILL to everything in the container and resolves when nothing is left, or when `ended` says that what is
   * meant has gone and the group may be somebody else's. The absent is no error.
   */
  kill(containerId: string, ended?: () => boolean): Promise<void>;
  /** Removes the groups; waits for processes that are just ending. The absent is no error. */
  remove(containerId: string): Promise<void>;
  /** As {@link remove} without waiting; what still has processes stays. */
  tryRemove(containerId: string): void;
  /** What of memory can be limited here. */
  memoryLimits(): { readonly memory: boolean; readonly swap: boolean };
  /** Whether a process is in any group of this instance. */
  arePopulated(): boolean;
  /** Removes every group of this instance; one with processes stays. */
  removeAll(): void;
  /** Ids of all containers that have a group of this instance. */
  list(): readonly string[];
  /** Whether the memory limit has killed a process of the present or last run. Without a memory limit always false. */
  oomKilled(containerId: string): boolean;
  pause(containerId: string): Promise<void>;
  unpause(containerId: string): Promise<void>;
  /** Brings a running container to other limits; null takes a limit away. */
  updateResources(containerId: string, limits: ResourceLimits): void;
  /** What the container uses now; nulls when it has no groups. */
  usage(containerId: string): ResourceUsage;
}

class Manager implements CgroupManager {
  readonly #hierarchies: Hierarchies;
  readonly #instanceName: string;
  /** Directories of this instance in all hierarchies. */
  readonly #listed: readonly ListedDirectory[];
  readonly #ids = new UnionOfLists();
  readonly #filters = new DeviceFilters(DEFAULT_DEVICE_RULES);
  /** Directories of this instance that have been prepared, by controller. */
  readonly #prepared = new Set<string>();

  constructor(instance: Instance, sources: CgroupSources) {
    this.#hierarchies = findHierarchies(sources);
    this.#instanceName = `tsdocker-${instance.id}`;
    this.#listed = [this.#hierarchies.unified, ...this.#hierarchies.v1.values()].map(
      (hierarchy) => new ListedDirectory(join(hierarchy, this.#instanceName), isContainerId),
    );
  }

  get unifiedOnly(): boolean {
    return this.#hierarchies.v1.size === 0;
  }

  create(containerId: string, limits: ResourceLimits, devices: DevicePolicy): CgroupEntry {
    const needed = neededControllers(limits);
    for (const controller of needed) this.#requireController(controller);
    this.#changed();
    if (this.#groupsOf(containerId).length > 0) this.tryRemove(containerId);
    this.#prepareUnified(needed);
    const unified = this.#unifiedGroup(containerId);
    if (!makeGroup(unified) && this.#isPopulated(unified)) throw stillPopulated(containerId, unified);
    try {
      for (const controller of needed) {
        if (this.#inV1(controller)) this.#makeV1Group(controller, containerId);
      }
      this.#writeLimits(containerId, limits, needed);
      const entry = this.enter(containerId);
      try {
        this.#filters.apply(entry.directoryFd, devices);
      } catch (error) {
        entry.release();
        throw error;
      }
      return entry;
    } catch (error) {
      this.tryRemove(containerId);
      throw error;
    }
  }

  enter(containerId: string): CgroupEntry {
    const unified = this.#unifiedGroup(containerId);
    if (!existsSync(unified)) {
      throw new TsdError('TSD_CONTAINER_NOT_RUNNING', `container ${containerId.slice(0, 12)} has no control group`);
    }
    const v1 = this.#v1Groups(containerId);
    const directoryFd = openSync(unified, constants.O_RDONLY | constants.O_DIRECTORY);
    return {
      directoryFd,
      procsFiles: v1.map(([, path]) => join(path, 'cgroup.procs')),
      paths: { unified, ...Object.fromEntries(v1) },
      release: () => closeSync(directoryFd),
    };
  }

  async kill(containerId: string, ended = (): boolean => false): Promise<void> {
    const group = this.#unifiedGroup(containerId);
    if (ended() || !existsSync(group)) return;
    writeControl(join(group, 'cgroup.kill'), '1');
    const survivors = () => groupPids(group).map(describeProcess).join(', ');
    const step = () => `kill container ${containerId.slice(0, 12)}: the kernel does not end ${survivors()}`;
    await waitForGroup(step, () => ended() || !this.#isPopulated(group));
  }

  async remove(containerId: string): Promise<void> {
    const step = `remove control groups of ${containerId.slice(0, 12)}`;
    await waitForGroup(step, () => this.#groupsOf(containerId).every(isEmptyGroup));
    // Whoever joined since then is seen by the next try of the caller.
    if (!this.#removeOnce(containerId)) throw sysError('rmdir', os.errno.EBUSY, step);
  }

  tryRemove(containerId: string): void {
    this.#removeOnce(containerId);
  }

  memoryLimits(): { readonly memory: boolean; readonly swap: boolean } {
    const v1 = this.#hierarchies.v1.get('memory');
    if (v1 !== undefined) {
      const has = (file: string) => existsSync(join(v1, `memory.${file}`));
      return { memory: has('limit_in_bytes') && has('soft_limit_in_bytes'), swap: has('memsw.limit_in_bytes') };
    }
    const memory = this.#hierarchies.unifiedControllers.has('memory');
    return { memory, swap: memory && limitsSwap(this.#hierarchies.unified) };
  }

  arePopulated(): boolean {
    return this.#isPopulated(join(this.#hierarchies.unified, this.#instanceName));
  }

  removeAll(): void {
    this.#changed();
    this.#prepared.clear();
    const { unified, v1 } = this.#hierarchies;
    for (const hierarchy of [unified, ...v1.values()]) tryRemoveGroup(join(hierarchy, this.#instanceName));
  }

  list(): readonly string[] {
    return this.#ids.of(...this.#listed.map((parent) => parent.names()));
  }

  oomKilled(containerId: string): boolean {
    const v1 = this.#hierarchies.v1.get('memory');
    if (v1 !== undefined) {
      return keyedValue(join(v1, this.#instanceName, containerId, 'memory.oom_control'), 'oom_kill') > 0;
    }
    return keyedValue(join(this.#unifiedGroup(containerId), 'memory.events'), 'oom_kill') > 0;
  }

  async pause(containerId: string): Promise<void> {
    await this.#freeze(containerId, 1);
  }

  async unpause(containerId: string): Promise<void> {
    await this.#freeze(containerId, 0);
  }

  updateResources(containerId: string, limits: ResourceLimits): void {
    const needed = neededControllers(limits);
    for (const controller of needed) this.#requireController(controller);
    this.#prepareUnified(needed);
    const unified = this.#unifiedGroup(containerId);
    if (!existsSync(unified)) {
      throw new TsdError('TSD_CONTAINER_NOT_RUNNING', `container ${containerId.slice(0, 12)} has no control group`);
    }
    const present = this.#v1Groups(containerId).map(([controller]) => controller);
    const added = needed.filter((controller) => this.#inV1(controller) && !present.includes(controller));
    for (const controller of added) this.#makeV1Group(controller, containerId);
    this.#writeLimits(containerId, limits, [...present, ...needed, ...this.#hierarchies.unifiedControllers]);
    for (const controller of added) this.#moveAll(unified, this.#v1Group(controller, containerId));
  }

  usage(containerId: string): ResourceUsage {
    const inV1 = (controller: Controller): string | null => {
      const group = this.#inV1(controller) ? this.#v1Group(controller, containerId) : null;
      return group !== null && existsSync(group) ? group : null;
    };
    const { unifiedControllers } = this.#hierarchies;
    const v1 = { memory: inV1('memory'), pids: inV1('pids') };
    return readUsage({ unified: this.#unifiedGroup(containerId), v1, unifiedControllers });
  }

  async #freeze(containerId: string, frozen: 0 | 1): Promise<void> {
    const group = this.#unifiedGroup(containerId);
    if (!existsSync(group)) {
      throw new TsdError('TSD_CONTAINER_NOT_RUNNING', `container ${containerId.slice(0, 12)} has no control group`);
    }
    writeControl(join(group, 'cgroup.freeze'), String(frozen));
    await waitForGroup(
      `${frozen === 1 ? 'pause' : 'unpause'} container ${containerId.slice(0, 12)}`,
      () => keyedValue(join(group, 'cgroup.events'), 'frozen') === frozen,
    );
  }

  /** Into the new v1 group, until a pass finds nothing to move: a process may fork while it is being moved. */
  #moveAll(unified: string, target: string): void {
    for (;;) {
      const inside = new Set(groupPids(target));
      const outside = groupPids(unified).filter((pid) => !inside.has(pid));
      if (outside.length === 0) return;
      for (const pid of outside) {
        try {
          writeControl(join(target, 'cgroup.procs'), String(pid));
        } catch (error) {
          if (existsSync(`/proc/${pid}`)) throw error;
        }
      }
    }
  }

  #unifiedGroup(containerId: string): string {
    return join(this.#hierarchies.unified, this.#instanceName, containerId);
  }

  #v1Parent(controller: Controller): string {
    const path = this.#hierarchies.v1.get(controller);
    if (path === undefined) throw new TsdError('TSD_BUG', `no cgroup v1 hierarchy for ${controller}`);
    return join(path, this.#instanceName);
  }

  #v1Group(controller: Controller, containerId: string): string {
    return join(this.#v1Parent(controller), containerId);
  }

  #inV1(controller: Controller): boolean {
    return this.#hierarchies.v1.has(controller);
  }

  #v1Groups(containerId: string): [Controller, string][] {
    return [...this.#hierarchies.v1.keys()]
      .map((controller): [Controller, string] => [controller, this.#v1Group(controller, containerId)])
      .filter(([, path]) => existsSync(path));
  }

  /** Those that are there, in all hierarchies. */
  #groupsOf(containerId: string): readonly string[] {
    const unified = this.#unifiedGroup(containerId);
    return [...(existsSync(unified) ? [unified] : []), ...this.#v1Groups(containerId).map(([, path]) => path)];
  }

  #requireController(controller: Controller): void {
    if (this.#inV1(controller) || this.#hierarchies.unifiedControllers.has(controller)) return;
    throw new TsdError('TSD_UNSUPPORTED_HOST', `a limit needs the ${controller} controller, which this host lacks`, {
      hint: 'Take the limit away, or enable the controller (kernel command line, or Delegate=yes in the unit).',
    });
  }

  #isPopulated(group: string): boolean {
    return keyedValue(join(group, 'cgroup.events'), 'populated') === 1;
  }

  /** One group may go and another one come: the kernel tells their number only. */
  #changed(): void {
    for (const parent of this.#listed) parent.forget();
  }

  #removeOnce(containerId: string): boolean {
    this.#changed();
    const removed = this.#groupsOf(containerId).map(tryRemoveGroup).every(Boolean);
    if (removed) this.#removeEmptyParents();
    return removed;
  }

  /** The instance's own groups go with its last container; the next one makes them again. */
  #removeEmptyParents(): void {
    if (removeEmptyGroup(join(this.#hierarchies.unified, this.#instanceName))) {
      for (const name of [...this.#prepared]) if (name !== 'self') this.#prepared.delete(name);
    }
    for (const controller of this.#hierarchies.v1.keys()) removeEmptyGroup(this.#v1Parent(controller));
  }

  /** The instance's directory, with the controllers passed on that limits need. */
  #prepareUnified(needed: readonly Controller[]): void {
    const { unified, selfInUnified } = this.#hierarchies;
    const instanceGroup = join(unified, this.#instanceName);
    if (!this.#prepared.has('unified')) {
      makeGroup(instanceGroup);
      this.#prepared.add('unified');
    }
    for (const controller of needed) {
      if (this.#inV1(controller) || this.#prepared.has(controller)) continue;
      if (selfInUnified && !this.#prepared.has('self')) {
        // A group that passes controllers on may not have processes of its own.
        makeGroup(join(unified, 'supervisor'));
        for (const pid of groupPids(unified)) writeControl(join(unified, 'supervisor', 'cgroup.procs'), String(pid));
        this.#prepared.add('self');
      }
      for (const group of [unified, instanceGroup])
        writeControl(join(group, 'cgroup.subtree_control'), `+${controller}`);
      this.#prepared.add(controller);
    }
  }

  #makeV1Group(controller: Controller, containerId: string): void {
    const parent = this.#v1Parent(controller);
    const group = join(parent, containerId);
    for (const path of [parent, group]) {
      if (makeGroup(path) && controller === 'cpuset') {
        // New cpuset groups are empty and take no process.
        for (const file of ['cpuset.cpus', 'cpuset.mems']) {
          writeControl(join(path, file), readFileSync(join(path, '..', file), 'utf8').trim());
        }
      }
    }
  }

  #writeLimits(containerId: string, limits: ResourceLimits, controllers: readonly Controller[]): void {
    const needed = neededControllers(limits);
    const inV1 = controllers.filter((controller) => this.#inV1(controller));
    const unified = controllers.filter((controller) => !this.#inV1(controller));
    if (inV1.length > 0) {
      for (const write of this.#orderedV1Writes(containerId, limits, inV1)) {
        if (inV1.includes(write.controller))
          this.#writeLimit(this.#v1Group(write.controller, containerId), write, needed);
      }
    }
    for (const write of v2Writes(limits)) {
      if (unified.includes(write.controller)) this.#writeLimit(this.#unifiedGroup(containerId), write, needed);
    }
  }

  #orderedV1Writes(containerId: string, limits: ResourceLimits, inV1: readonly Controller[]): readonly LimitWrite[] {
    const cpus = inV1.includes('cpuset')
      ? readFileSync(join(this.#v1Parent('cpuset'), 'cpuset.cpus'), 'utf8').trim()
      : '';
    const writes = v1Writes(limits, cpus);
    if (!inV1.includes('memory')) return writes;
    const both = join(this.#v1Group('memory', containerId), 'memory.memsw.limit_in_bytes');
    return existsSync(both) ? raisingMemory(writes, Number(readFileSync(both, 'utf8'))) : writes;
  }

  #writeLimit(group: string, write: LimitWrite, needed: readonly Controller[]): void {
    const path = join(group, write.file);
    if (!existsSync(path)) {
      // A controller that was never passed on to the group has no limit to take away.
      if (write.optional || !needed.includes(write.controller)) return;
      throw new TsdError('TSD_UNSUPPORTED_HOST', `a limit needs ${write.file}, which this host lacks`, {
        hint: 'Memory and swap limits need swap accounting (swapaccount=1 on the kernel command line).',
      });
    }
    try {
      writeControl(path, write.value);
    } catch (error) {
      throw explainLimit(write, group, error);
    }
  }
}

/** The root of the unified hierarchy has no limits of its own; any group below it shows which there are. */
function limitsSwap(unified: string): boolean {
  const groups = [unified, ...readdirSync(unified).map((name) => join(unified, name))];
  return groups.some((group) => existsSync(join(group, 'memory.swap.max')));
}

function stillPopulated(containerId: string, group: string): TsdError {
  const processes = groupPids(group).map(describeProcess).join(', ');
  return new TsdError(
    'TSD_CONTAINER_SETUP',
    `of an earlier run of ${containerId.slice(0, 12)} there is still ${processes}`,
    {
      class: 'conflict',
      step: 'create control group',
      hint: 'Kill it; the start is tried again by itself.',
    },
  );
}

const REFUSED_VALUES: readonly (number | undefined)[] = [os.errno.EINVAL, os.errno.ERANGE];

/** The kernel says no more than an errno to CPUs that do not exist. */
function explainLimit({ controller, value }: LimitWrite, group: string, error: unknown): unknown {
  if (controller !== 'cpuset' || !(error instanceof TsdError) || !REFUSED_VALUES.includes(error.errno)) return error;
  const parent = join(group, '..');
  const available = ['cpuset.cpus.effective', 'cpuset.effective_cpus', 'cpuset.cpus']
    .map((file) => join(parent, file))
    .find((path) => existsSync(path));
  const cpus = available === undefined ? 'other ones' : readFileSync(available, 'utf8').trim();
  return new TsdError('TSD_CONTAINER_SETUP', `cpuset: this host has no CPUs ${value} to give; it has ${cpus}`, {
    errno: error.errno,
    step: 'write cpuset.cpus',
    hint: 'Correct resources.cpuset.',
    cause: error,
  });
}

/** @throws TsdError TSD_UNSUPPORTED_HOST without a mounted unified hierarchy. */
export function createCgroupManager(instance: Instance, sources: CgroupSources = hostSources()): CgroupManager {
  return new Manager(instance, sources);
}
