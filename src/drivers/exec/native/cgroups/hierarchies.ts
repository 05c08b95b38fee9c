/** Which control group hierarchies this host has and where in them our groups live. Read once. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readXattrs } from '../../../../ffi/files/layer-files.ts';
import { unescaped } from '../../../../ffi/storage/mount-table.ts';
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

/** The hierarchy of v1 that has `controller`. */
export function hierarchyOf({ v1 }: Hierarchies, controller: string): V1Hierarchy | undefined {
  return v1.find(({ name }) => name.split(',').includes(controller));
}

/** What {@link findHierarchies} looks at; tests give their own. */
export interface CgroupSources {
  readonly mountinfo: string;
  readonly selfCgroup: string;
  readonly initCgroup: string;
  isDelegated(path: string): boolean;
}

/** systemd marks directories that it hands over (Delegate=yes) with one of these attributes. */
function isDelegated(path: string): boolean {
  if (!existsSync(path)) return false;
  const attributes = readXattrs(path);
  return ['trusted.delegate', 'user.delegate'].some((name) => attributes.get(name)?.toString() === '1');
}

export function hostSources(): CgroupSources {
  return {
    mountinfo: readFileSync('/proc/self/mountinfo', 'utf8'),
    selfCgroup: readFileSync('/proc/self/cgroup', 'utf8'),
    initCgroup: readFileSync('/proc/1/cgroup', 'utf8'),
    isDelegated,
  };
}

interface CgroupMount {
  readonly type: string;
  readonly path: string;
  readonly options: readonly string[];
}

function cgroupMounts(mountinfo: string): CgroupMount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ');
    const path = before?.split(' ')[4];
    const [type, , options] = after?.split(' ') ?? [];
    if (path === undefined || type === undefined || !type.startsWith('cgroup')) return [];
    return [{ type, path: unescaped(path), options: options?.split(',') ?? [] }];
  });
}

/** Paths of a process by the name of the hierarchy ('' is the unified one), from the text of its /proc/PID/cgroup. */
export function groupPaths(cgroupFile: string): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const line of cgroupFile.split('\n')) {
    const [, name, ...path] = line.split(':');
    if (name !== undefined) paths.set(name, path.join(':'));
  }
  return paths;
}

/** systemd keeps itself in a group of its own, which is its alone. */
const besideInit = (path: string): string => path.replace(/(\/init\.scope)?\/?$/, '');

function findV1(mounts: readonly CgroupMount[], { selfCgroup, initCgroup }: CgroupSources) {
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
 * In the unified hierarchy our groups live where systemd lets us (Delegate=yes, with or without DelegateSubgroup), else at
 * its root; in v1 beside what init was given, as Docker does.
 * @throws TsdError TSD_UNSUPPORTED_HOST without a mounted unified hierarchy.
 */
export function findHierarchies(sources: CgroupSources): Hierarchies {
  const mounts = cgroupMounts(sources.mountinfo);
  const mount = mounts.find(({ type }) => type === 'cgroup2');
  if (mount === undefined) {
    throw new TsdError('TSD_UNSUPPORTED_HOST', 'the unified control group hierarchy is not mounted', {
      hint: 'Mount it: mount -t cgroup2 none /sys/fs/cgroup/unified (or /sys/fs/cgroup when nothing is there).',
    });
  }
  const own = join(mount.path, groupPaths(sources.selfCgroup).get('') ?? '/');
  const delegated = [dirname(own), own].find((path) => path.startsWith(mount.path) && sources.isDelegated(path));
  const unified = delegated ?? mount.path;
  const listed = readFileSync(join(unified, 'cgroup.controllers'), 'utf8').trim().split(' ');
  return {
    ...findV1(mounts, sources),
    unified,
    unifiedMount: mount.path,
    unifiedControllers: new Set(CONTROLLERS.filter((name) => listed.includes(name))),
    selfInUnified: unified === own && unified !== mount.path,
  };
}
