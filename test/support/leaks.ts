/**
 * Objects that a test can leave behind in the kernel, listed before and after. Only things that carry the mark of a supervisor
 * are looked at, so that other tests and a dockerd beside do not disturb it.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { until } from './wait.ts';

export interface HostState {
  readonly mounts: readonly string[];
  readonly links: readonly string[];
  readonly tables: readonly string[];
  readonly cgroups: readonly string[];
  readonly processes: readonly string[];
}

function mountsUnder(root: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((mountPoint) => mountPoint.startsWith(`${root}/`));
}

/** Interfaces of the supervisor `instance`, and its bridge. */
function links(instance: string, bridge: string): string[] {
  return readdirSync('/sys/class/net').filter((name) => {
    if (name === bridge || name.startsWith(`v${instance}`)) return true;
    const aliasFile = join('/sys/class/net', name, 'ifalias');
    return existsSync(aliasFile) && readFileSync(aliasFile, 'utf8').startsWith(`tsd:${instance}:`);
  });
}

function tables(instance: string): string[] {
  return execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => line.includes(`tsd-${instance}`));
}

/** Names of the directories in one; a cgroup may go while others are looked at. */
function directoriesIn(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true }).flatMap((entry) =>
      entry.isDirectory() ? [entry.name] : [],
    );
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** Directories of an instance, in each hierarchy at the place where it was started. */
const groupsOf = (instance: string): string[] => groupsNamed(`tsdocker-${instance}`);

/** Those of its resolvers. */
const resolverGroups = (instance: string): string[] => groupsNamed(`tsdocker-${instance}-names`);

/** Pids of its resolvers. */
export function resolversOf({ instance }: Pick<Marks, 'instance'>): number[] {
  return resolverGroups(instance).flatMap((group) =>
    readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number),
  );
}

function groupsNamed(wanted: string): string[] {
  const found: string[] = [];
  const visit = (directory: string, depth: number): void => {
    for (const name of directoriesIn(directory)) {
      const path = join(directory, name);
      if (name === wanted) found.push(path);
      else if (depth > 0) visit(path, depth - 1);
    }
  };
  visit('/sys/fs/cgroup', 3);
  return found;
}

function cgroups(instance: string): string[] {
  return groupsOf(instance).flatMap((path) => directoriesIn(path).map((child) => join(path, child)));
}

/** Shims that have something below the directory open. */
function processes(directory: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const comm = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
        if (!comm.startsWith('tsdocker-shim')) return [];
        const isOfIt = readdirSync(`/proc/${pid}/fd`).some((fd) => {
          try {
            return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(directory);
          } catch {
            return false;
          }
        });
        return isOfIt ? [`${pid} ${comm}`] : [];
      } catch {
        return [];
      }
    });
}

/** What a supervisor is known by in the kernel. */
export interface Marks {
  /** Without symbolic links, as the kernel tells it. */
  readonly root: string;
  readonly instance: string;
  readonly bridge: string;
}

export function hostState(supervisor: Marks): HostState {
  return {
    mounts: mountsUnder(supervisor.root),
    links: links(supervisor.instance, supervisor.bridge),
    tables: tables(supervisor.instance),
    cgroups: cgroups(supervisor.instance),
    processes: processes(supervisor.root),
  };
}

/** Ends a process at once, unless it has ended. */
function kill(pid: number): void {
  // 0 is one of another pid namespace; to kill(2) it is our own group.
  if (!(pid > 1)) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/** Kills everyone in a cgroup and those below it, and removes them. */
async function removeCgroup(path: string): Promise<void> {
  for (const name of directoriesIn(path)) await removeCgroup(join(path, name));
  await until(`${path} removed`, () => {
    if (!existsSync(path)) return true;
    for (const pid of readFileSync(join(path, 'cgroup.procs'), 'utf8').split('\n')) kill(Number(pid));
    rmdirSync(path);
    return true;
  });
}

/** Removes the control groups of an instance, for a supervisor that was killed with all that it ran. */
export async function removeGroupsOf(instance: string): Promise<void> {
  for (const path of [...groupsOf(instance), ...resolverGroups(instance)]) await removeCgroup(path);
}

/** The kernel takes an interface along with a namespace, also between a look and the command. */
function removeLink(name: string): void {
  const isThere = (): boolean => existsSync(join('/sys/class/net', name));
  if (!isThere()) return;
  const { status, stderr } = spawnSync('ip', ['link', 'delete', name], { encoding: 'utf8' });
  if (status !== 0 && isThere()) throw new Error(`${name} is left: ${stderr}`);
}

/** Takes away what a supervisor that has ended left, by pid, name and path: what it could not do, or no one can any more. */
export async function removeLeft(supervisor: Marks): Promise<void> {
  const { mounts, links: left, tables: rules, cgroups: groups, processes: running } = hostState(supervisor);
  // A shim takes its payload along.
  for (const one of running) kill(Number.parseInt(one, 10));
  for (const group of [...groups, ...resolverGroups(supervisor.instance)]) await removeCgroup(group);
  for (const parent of new Set(groups.map(dirname))) await removeCgroup(parent);
  for (const link of left) removeLink(link);
  for (const table of rules) execFileSync('nft', ['delete', ...table.split(' ')]);
  for (const mount of mounts.toReversed()) execFileSync('umount', [mount]);
}
