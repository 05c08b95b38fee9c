/** Which control group hierarchies this host has and where in them our groups live. Read once. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readXattrs } from '../../../../ffi/layer-files.ts';
import { TsdError } from '../../../../model/errors.ts';

const CONTROLLERS = ['memory', 'cpu', 'cpuset', 'pids'] as const;
export type Controller = (typeof CONTROLLERS)[number];

export interface Hierarchies {
  /** The directory of the unified hierarchy that our group of groups is made in. Every container has a group there. */
  readonly unified: string;
  /** Controllers that limits are set with in the unified hierarchy. */
  readonly unifiedControllers: ReadonlySet<Controller>;
  /** The same for cgroup v1, by controller. */
  readonly v1: ReadonlyMap<Controller, string>;
  /** True when this process itself is in `unified`: it must leave before controllers can be passed on. */
  readonly selfInUnified: boolean;
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
    return [{ type, path, options: options?.split(',') ?? [] }];
  });
}

/** Path of a process in the hierarchy of `controller` ('' is the unified one), from the text of its /proc/PID/cgroup. */
function pathOf(cgroupFile: string, controller: string): string {
  for (const line of cgroupFile.split('\n')) {
    const [, names, ...path] = line.split(':');
    if (names?.split(',').includes(controller)) return path.join(':');
  }
  return '/';
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
  const own = join(mount.path, pathOf(sources.selfCgroup, ''));
  const delegated = [dirname(own), own].find((path) => path.startsWith(mount.path) && sources.isDelegated(path));
  const v1 = new Map<Controller, string>();
  for (const controller of CONTROLLERS) {
    const found = mounts.find(({ type, options }) => type === 'cgroup' && options.includes(controller));
    if (found === undefined) continue;
    const besideInit = join(found.path, pathOf(sources.initCgroup, controller));
    v1.set(controller, existsSync(besideInit) ? besideInit : found.path);
  }
  const unified = delegated ?? mount.path;
  const listed = readFileSync(join(unified, 'cgroup.controllers'), 'utf8').trim().split(' ');
  const unifiedControllers = new Set(CONTROLLERS.filter((name) => listed.includes(name)));
  return { unified, unifiedControllers, v1, selfInUnified: unified === own && unified !== mount.path };
}
