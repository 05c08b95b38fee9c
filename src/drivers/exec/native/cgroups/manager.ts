/**
 * Control groups of containers, `tsdocker-<instance>/<container id>` in each hierarchy of this host.
 *
 * The group in the unified hierarchy is the one that a container's first process is cloned into, that containers are found,
 * killed and paused by and that the device filter is on. Those of cgroup v1 take the limits, and keep the container out of
 * the groups of the host. Containers of before there were these have groups of v1 for their limits only, and keep them so.
 */
import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ListedDirectory, UnionOfLists } from '../../../../ffi/files/listed-directory.ts';
import { describeProcess } from '../../../../ffi/process/processes.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import type { Instance } from '../../../contract/driver.ts';
import type { ResourceLimits, ResourceUsage, Statistics } from '../../../contract/exec.ts';
import { DEFAULT_DEVICE_RULES } from '../program/devices.ts';
import { isContainerId } from '../run-files.ts';
import type { CgroupEntry, CgroupManager, CgroupView } from './container-groups.ts';
import { DeviceFilters, type DevicePolicy } from './device-filter.ts';
import { groupPids, keyedValue, makeGroup, removeEmptyGroup, waitForGroup, writeControl } from './group-files.ts';
import { allPidsIn, describeProcessesIn, removeTree, thawTree, tryRemoveTree } from './group-walk.ts';
import {
  type CgroupSources,
  CONTROLLERS,
  type Controller,
  findHierarchies,
  type Hierarchies,
  hostSources,
} from './hierarchies.ts';
import { writeLimits } from './limit-files.ts';
import { neededControllers } from './limits.ts';
import { readStatistics } from './statistics.ts';
import { pathsOfProcess, UnifiedGroups } from './unified-groups.ts';
import { readUsage } from './usage.ts';
import { type Shortcoming, TASKS, type V1Group, V1Groups } from './v1-groups.ts';

class Manager implements CgroupManager {
  readonly #hierarchies: Hierarchies;
  readonly #instanceName: string;
  readonly #unified: UnifiedGroups;
  readonly #v1: V1Groups;
  /** Directories of this instance in all hierarchies. */
  readonly #listed: readonly ListedDirectory[];
  readonly #ids = new UnionOfLists();
  readonly #filters = new DeviceFilters(DEFAULT_DEVICE_RULES);

  constructor(instance: Instance, sources: CgroupSources) {
    this.#hierarchies = findHierarchies(sources);
    this.#instanceName = `tsdocker-${instance.id}`;
    this.#unified = new UnifiedGroups(this.#hierarchies, this.#instanceName);
    this.#v1 = new V1Groups(this.#hierarchies.v1, this.#instanceName);
    this.#listed = this.#parents().map((parent) => new ListedDirectory(parent, isContainerId));
  }

  get unifiedOnly(): boolean {
    return this.#hierarchies.v1.length === 0;
  }

  shortcomings(): readonly Shortcoming[] {
    const unmounted = this.#hierarchies.unmounted.map((hierarchy) => ({
      hierarchy,
      reason: 'it is mounted nowhere in sight',
    }));
    return [...this.#v1.shortcomings(), ...unmounted];
  }

  sharedGroups(containerId: string, pid: number): readonly string[] {
    const own = `/${this.#instanceName}/${containerId}/`;
    return [...pathsOfProcess(pid)].flatMap(([name, path]) => (`${path}/`.includes(own) ? [] : [name || 'unified']));
  }

  create(containerId: string, limits: ResourceLimits, devices: DevicePolicy): CgroupEntry {
    const needed = neededControllers(limits);
    for (const controller of needed) this.#requireController(controller);
    this.#changed();
    this.#unified.prepare(needed.filter((controller) => !this.#v1.has(controller)));
    const unified = this.#unified.group(containerId);
    if (!makeGroup(unified) && this.#unified.isPopulated(unified)) throw stillPopulated(containerId, unified);
    try {
      this.#v1.make(containerId, needed);
      writeLimits({ containerId, unified, v1: this.#v1 }, limits, needed);
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

  enter(containerId: string, firstPid: number | null = null): CgroupEntry {
    const unified = this.#unified.present(containerId);
    const place = firstPid === null ? unified : this.#unified.placeOf(firstPid, unified);
    const v1 = this.#v1.of(containerId);
    const paths = v1.flatMap(({ hierarchy, path }) => hierarchy.name.split(',').map((name) => [name, path] as const));
    const directoryFd = openSync(place, constants.O_RDONLY | constants.O_DIRECTORY);
    return {
      directoryFd,
      taskFiles: v1.map(({ path }) => join(path, TASKS)),
      view: this.#view(v1, unified),
      paths: { unified, ...Object.fromEntries(paths) },
      release: () => closeSync(directoryFd),
    };
  }

  #view(v1: readonly V1Group[], unified: string): CgroupView {
    if (this.unifiedOnly) return 'unified';
    const shown = v1.map(({ hierarchy, path }) => {
      const name = basename(hierarchy.mount);
      const also = hierarchy.name.split(',').filter((part) => part !== name && !part.includes('='));
      return { name, source: path, also };
    });
    return [...shown, { name: basename(this.#hierarchies.unifiedMount), source: unified, also: [] }];
  }

  async kill(containerId: string, ended = (): boolean => false): Promise<void> {
    const group = this.#unified.group(containerId);
    if (ended() || !existsSync(group)) return;
    writeControl(join(group, 'cgroup.kill'), '1');
    const freezer = this.#v1.of(containerId).find(({ hierarchy }) => hierarchy.name.split(',').includes('freezer'));
    if (freezer !== undefined) await thawTree(freezer.path);
    const step = `kill container ${containerId.slice(0, 12)}: the kernel does not end`;
    await waitForGroup(
      async () => `${step} ${await describeProcessesIn(group)}`,
      () => ended() || !this.#unified.isPopulated(group),
    );
  }

  async clear(containerId: string): Promise<void> {
    this.#changed();
    for (const group of this.#groupsOf(containerId)) await removeTree(group);
  }

  async remove(containerId: string): Promise<void> {
    const step = `remove control groups of ${containerId.slice(0, 12)}`;
    const left = (): readonly string[] => this.#groupsOf(containerId);
    await waitForGroup(
      async () => `${step}: ${await describeLeft(left())}`,
      async () => {
        await this.clear(containerId);
        return left().length === 0;
      },
    );
    this.#removeEmptyParents();
  }

  tryRemove(containerId: string): void {
    this.#changed();
    for (const group of this.#groupsOf(containerId)) removeEmptyGroup(group);
    this.#removeEmptyParents();
  }

  arePopulated(): boolean {
    return this.#unified.isPopulated(this.#unified.parent);
  }

  removeAll(): void {
    this.#changed();
    this.#unified.forget();
    for (const parent of this.#parents()) tryRemoveTree(parent);
  }

  list(): readonly string[] {
    return this.#ids.of(...this.#listed.map((parent) => parent.names()));
  }

  oomKilled(containerId: string): boolean {
    if (this.#v1.has('memory')) {
      return keyedValue(join(this.#v1.group('memory', containerId), 'memory.oom_control'), 'oom_kill') > 0;
    }
    return keyedValue(join(this.#unified.group(containerId), 'memory.events'), 'oom_kill') > 0;
  }

  async pause(containerId: string): Promise<void> {
    await this.#unified.freeze(containerId, 1);
  }

  async unpause(containerId: string): Promise<void> {
    await this.#unified.freeze(containerId, 0);
  }

  updateResources(containerId: string, limits: ResourceLimits): void {
    const needed = neededControllers(limits);
    for (const controller of needed) this.#requireController(controller);
    this.#unified.prepare(needed.filter((controller) => !this.#v1.has(controller)));
    const unified = this.#unified.present(containerId);
    const inV1 = CONTROLLERS.filter((controller) => this.#v1.has(controller));
    const present = inV1.filter((controller) => existsSync(this.#v1.group(controller, containerId)));
    const added = inV1.filter((controller) => needed.includes(controller) && !present.includes(controller));
    this.#v1.makeFor(containerId, added);
    const controllers = [...present, ...needed, ...this.#hierarchies.unifiedControllers];
    writeLimits({ containerId, unified, v1: this.#v1 }, limits, controllers);
    for (const controller of added) this.#moveAll(unified, this.#v1.group(controller, containerId));
  }

  processes(containerId: string): readonly number[] {
    return allPidsIn(this.#unified.group(containerId));
  }

  statistics(containerId: string): Statistics {
    const { unifiedControllers } = this.#hierarchies;
    const v1 = (controller: Controller): string | null => this.#inV1(controller, containerId);
    return readStatistics({ unified: this.#unified.group(containerId), v1, unifiedControllers });
  }

  /** Null where the container has no group of it. */
  #inV1(controller: Controller, containerId: string): string | null {
    const group = this.#v1.has(controller) ? this.#v1.group(controller, containerId) : null;
    return group !== null && existsSync(group) ? group : null;
  }

  usage(containerId: string): ResourceUsage {
    const { unifiedControllers } = this.#hierarchies;
    const v1 = { memory: this.#inV1('memory', containerId), pids: this.#inV1('pids', containerId) };
    return readUsage({ unified: this.#unified.group(containerId), v1, unifiedControllers });
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

  /** The instance's directories in all hierarchies, whether they are there or not. */
  #parents(): readonly string[] {
    return [this.#unified.parent, ...this.#v1.parents()];
  }

  /** Those that are there, in all hierarchies. */
  #groupsOf(containerId: string): readonly string[] {
    const unified = this.#unified.group(containerId);
    return [...(existsSync(unified) ? [unified] : []), ...this.#v1.of(containerId).map(({ path }) => path)];
  }

  #requireController(controller: Controller): void {
    if (this.#v1.has(controller) || this.#unified.has(controller)) return;
    throw new TsdError('TSD_UNSUPPORTED_HOST', `a limit needs the ${controller} controller, which this host lacks`, {
      hint: 'Take the limit away, or enable the controller (kernel command line, or Delegate=yes in the unit).',
    });
  }

  /** One group may go and another one come: the kernel tells their number only. */
  #changed(): void {
    for (const parent of this.#listed) parent.forget();
  }

  /** The instance's own groups go with its last container; the next one makes them again. */
  #removeEmptyParents(): void {
    this.#unified.removeEmptyParent();
    for (const parent of this.#v1.parents()) removeEmptyGroup(parent);
  }
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

/** What keeps groups from being removed, in words. */
async function describeLeft(groups: readonly string[]): Promise<string> {
  const found: string[] = [];
  for (const group of groups) {
    const processes = await describeProcessesIn(group);
    if (processes !== '') found.push(`${processes} in ${group}`);
  }
  return found.length === 0 ? `nothing is seen in ${groups.join(', ')}, which the kernel calls busy` : found.join('; ');
}

/** @throws TsdError TSD_UNSUPPORTED_HOST without a mounted unified hierarchy. */
export function createCgroupManager(instance: Instance, sources: CgroupSources = hostSources()): CgroupManager {
  return new Manager(instance, sources);
}
