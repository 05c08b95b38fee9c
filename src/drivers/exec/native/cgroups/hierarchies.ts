/** Which control group hierarchies this host has and where in them our groups live. Read once. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CgroupMount, groupPaths, unifiedPlace } from '../../../../ffi/host/cgroup-mounts.ts';
import { KERNEL_FILES } from '../../../../ffi/host/host-files.ts';
import { readSysinfo, type Sysinfo } from '../../../../ffi/host/sysinfo.ts';
import { TsdError } from '../../../../model/errors/errors.ts';

export const CONTROLLERS = ['memory', 'cpu', 'cpuset', 'pids'] as const;
export type Controller = (typeof CONTROLLERS)[number];

/** A hierarchy of cgroup v1. */
export interface V1Hierarchy {
  /** As /proc/PID/cgroup names it: `cpu,cpuacct`, `name=systemd`. */
  readonly name: string;
  /** Where it is mounted. */
  readonly mount: string;
  /** The directory that our group of groups is made in. */
  readonly directory: string;
}

export interface Hierarchies {
  /** The directory of the unified hierarchy that our group of groups is made in. */
  readonly unified: string;
  readonly unifiedMount: string;
  /** Controllers that limits are set with in the unified hierarchy. */
  readonly unifiedControllers: ReadonlySet<Controller>;
  readonly v1: readonly V1Hierarchy[];
  /** Names of those of v1 that exist and are mounted nowhere in sight: no group can be made in them. */
  readonly unmounted: readonly string[];
  /** True when this process itself is in `unified`: it must leave before controllers can be passed on. */
  readonly selfInUnified: boolean;
}

/** What {@link findHierarchies} looks at; tests give their own. */
export interface CgroupSources {
  readonly mounts: readonly CgroupMount[];
  readonly selfCgroup: string;
  readonly initCgroup: string;
  isDelegated(path: string): boolean;
}

export function hostSources({ cgroupMounts }: Pick<Sysinfo, 'cgroupMounts'> = readSysinfo()): CgroupSources {
  return {
    mounts: cgroupMounts,
    selfCgroup: readFileSync('/proc/self/cgroup', 'utf8'),
    initCgroup: readFileSync('/proc/1/cgroup', 'utf8'),
    isDelegated: KERNEL_FILES.isDelegated,
  };
}

/** systemd keeps itself in a group of its own, which is its alone. */
const besideInit = (path: string): string => path.replace(/(\/init\.scope)?\/?$/, '');

function findV1({ mounts, selfCgroup, initCgroup }: CgroupSources) {
  const v1: V1Hierarchy[] = [];
  const unmounted: string[] = [];
  const ofInit = groupPaths(initCgroup);
  for (const name of groupPaths(selfCgroup).keys()) {
    if (name === '') continue;
    const parts = name.split(',');
    const found = mounts.find(
      ({ type, options }) => type === 'cgroup' && parts.every((part) => options.includes(part)),
    );
    if (found === undefined) {
      unmounted.push(name);
      continue;
    }
    const directory = join(found.path, besideInit(ofInit.get(name) ?? '/'));
    v1.push({ name, mount: found.path, directory: existsSync(directory) ? directory : found.path });
  }
  return { v1, unmounted };
}

/**
 * In the unified hierarchy our groups live where there is room for them; in v1 beside what init was given, as Docker does.
 * @throws TsdError TSD_UNSUPPORTED_HOST without a mounted unified hierarchy.
 */
export function findHierarchies(sources: CgroupSources): Hierarchies {
  const place = unifiedPlace(sources.mounts, sources.selfCgroup, (path) => sources.isDelegated(path));
  if (place === null) {
    throw new TsdError('TSD_UNSUPPORTED_HOST', 'the unified control group hierarchy is not mounted', {
      hint: 'Mount it: mount -t cgroup2 none /sys/fs/cgroup/unified (or /sys/fs/cgroup when nothing is there).',
    });
  }
  const { directory, mount, own } = place;
  const listed = readFileSync(join(directory, 'cgroup.controllers'), 'utf8').trim().split(' ');
  return {
    ...findV1(sources),
    unified: directory,
    unifiedMount: mount,
    unifiedControllers: new Set(CONTROLLERS.filter((name) => listed.includes(name))),
    selfInUnified: directory === own && directory !== mount,
  };
}
