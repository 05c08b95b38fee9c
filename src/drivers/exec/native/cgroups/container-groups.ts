/** What the exec driver asks for of control groups. */
import type { ResourceLimits, ResourceUsage, Statistics } from '../../../contract/exec.ts';
import type { DevicePolicy } from './device-filter.ts';
import type { Shortcoming } from './v1-groups.ts';

/** A group that a container is shown: `also` are further names of the same. */
export interface ShownGroup {
  readonly name: string;
  readonly source: string;
  readonly also: readonly string[];
}

/** What a container finds in /sys/fs/cgroup: its group as the root of the unified hierarchy, or a directory of its groups. */
export type CgroupView = 'unified' | readonly ShownGroup[];

/** How a new process gets into a container's groups. */
export interface CgroupEntry {
  /** Directory in the unified hierarchy, for CLONE_INTO_CGROUP. Close-on-exec. */
  readonly directoryFd: number;
  /** Files into which the process, of one thread, writes `0`. */
  readonly taskFiles: readonly string[];
  readonly view: CgroupView;
  /** Path of the group by controller; `unified` for the unified hierarchy. */
  readonly paths: Readonly<Record<string, string>>;
  /** Closes `directoryFd`. */
  release(): void;
}

export interface CgroupManager {
  /** True where limits are in the unified hierarchy (cgroup v2). */
  readonly unifiedOnly: boolean;
  /** Hierarchies in which a container is in no group of its own; tried out now. */
  shortcomings(): readonly Shortcoming[];
  /** Names of the hierarchies in which a process of a container is in no group of the container's. */
  sharedGroups(containerId: string, pid: number): readonly string[];
  /** Removes what is left of a run that has ended; what still has processes stays. The absent is no error. */
  clear(containerId: string): Promise<void>;
  /**
   * Makes the groups of a run, new ones with counters at zero.
   * @throws TsdError TSD_UNSUPPORTED_HOST for a limit whose controller this host does not have.
   */
  create(containerId: string, limits: ResourceLimits, devices: DevicePolicy): CgroupEntry;
  /**
   * For another process in a container that has groups, in the place of its first process where it let no process be in its
   * own group.
   * @throws TsdError TSD_CONTAINER_NOT_RUNNING when it has none.
   */
  enter(containerId: string, firstPid?: number): CgroupEntry;
  /**
   * Sends SIGKILL to everything in the container and resolves when nothing is left, or when `ended` says that what is
   * meant has gone and the group may be somebody else's. The absent is no error.
   */
  kill(containerId: string, ended?: () => boolean): Promise<void>;
  /**
   * Removes the groups and those that its processes made in them; waits for processes that are just ending. The absent is no
   * error. @throws TsdError TSD_TIMEOUT naming the processes that stay.
   */
  remove(containerId: string): Promise<void>;
  /** Removes the groups of a run that did not come about; what has processes or groups stays. */
  tryRemove(containerId: string): void;
  /** Whether a process is in any group of this instance. */
  arePopulated(): boolean;
  /** Removes every group of this instance; one with processes stays. */
  removeAll(): void;
  /** Ids of all containers that have a group of this instance. */
  list(): readonly string[];
  /** Reports whether the kernel's OOM killer has killed a process of the current or last run. */
  oomKilled(containerId: string): boolean;
  pause(containerId: string): Promise<void>;
  unpause(containerId: string): Promise<void>;
  /** Brings a running container to other limits; null takes a limit away. */
  updateResources(containerId: string, limits: ResourceLimits): void;
  /** What the container uses now; nulls when it has no groups. */
  usage(containerId: string): ResourceUsage;
  statistics(containerId: string): Statistics;
  /** Those of its groups, and of the groups that its processes made. */
  processes(containerId: string): readonly number[];
}
