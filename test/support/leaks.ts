/**
 * What a test may leave behind in the kernel, listed before and after. Only things that carry the mark of a supervisor
 * are looked at, so that other tests and a dockerd beside do not disturb it.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

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

function cgroups(instance: string): string[] {
  const found: string[] = [];
  const visit = (directory: string, depth: number): void => {
    for (const name of directoriesIn(directory)) {
      const path = join(directory, name);
      if (name === `tsdocker-${instance}`) found.push(...directoriesIn(path).map((child) => join(path, child)));
      else if (depth > 0) visit(path, depth - 1);
    }
  };
  visit('/sys/fs/cgroup', 3);
  return found;
}

/** Processes whose shim or command line refers to the run directory. */
function processes(runDir: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const comm = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
        if (!comm.startsWith('tsdocker-shim')) return [];
        const inRunDir = readdirSync(`/proc/${pid}/fd`).some((fd) => {
          try {
            return readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith(runDir);
          } catch {
            return false;
          }
        });
        return inRunDir ? [`${pid} ${comm}`] : [];
      } catch {
        return [];
      }
    });
}

export function hostState(supervisor: { root: string; runDir: string; instance: string; bridge: string }): HostState {
  return {
    mounts: mountsUnder(supervisor.root),
    links: links(supervisor.instance, supervisor.bridge),
    tables: tables(supervisor.instance),
    cgroups: cgroups(supervisor.instance),
    processes: processes(supervisor.root),
  };
}
