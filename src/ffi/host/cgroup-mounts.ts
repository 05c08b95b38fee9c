/** Where control groups are mounted and which ones a process is in, from the texts of procfs. Pure. */
import { dirname, join } from 'node:path';
import { unescaped } from '../storage/mount-table.ts';

export interface CgroupMount {
  readonly type: 'cgroup' | 'cgroup2';
  readonly path: string;
  /** Of the superblock: the controllers of a hierarchy of version 1, or its name. */
  readonly options: readonly string[];
}

/** @param mountinfo text of proc_pid_mountinfo(5) */
export function cgroupMounts(mountinfo: string): CgroupMount[] {
  return mountinfo.split('\n').flatMap((line) => {
    const [before, after] = line.split(' - ');
    const path = before?.split(' ')[4];
    const [type, , options] = after?.split(' ') ?? [];
    if (path === undefined || (type !== 'cgroup' && type !== 'cgroup2')) return [];
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

export interface UnifiedPlace {
  readonly mount: string;
  /** The group that groups of containers are made in. */
  readonly directory: string;
  /** The group of this process. */
  readonly own: string;
}

/**
 * Where the unified hierarchy has room for groups: where systemd hands a directory over (Delegate=yes, with or without
 * DelegateSubgroup), else at its root. Null where it is not mounted.
 */
export function unifiedPlace(
  mounts: readonly CgroupMount[],
  selfCgroup: string,
  isDelegated: (directory: string) => boolean,
): UnifiedPlace | null {
  const mount = mounts.find(({ type }) => type === 'cgroup2')?.path;
  if (mount === undefined) return null;
  const own = join(mount, groupPaths(selfCgroup).get('') ?? '/');
  const delegated = [dirname(own), own].find((path) => path.startsWith(mount) && isDelegated(path));
  return { mount, directory: delegated ?? mount, own };
}
