/** The program of the resolver: which one it is, and how it is started. */
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, closeSync, constants, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { reap, SIGKILL, signalProcess, spawn, startTimeOf } from '../../ffi/process/processes.ts';
import { listenAt } from '../../ffi/sockets/sockets.ts';
import type { ResolverGroup } from './resolver-group.ts';
import { CONTROL_SOCKET, LANE_SOCKET, UNPRIVILEGED } from './resolver-link.ts';

/** The resolver's own descriptors. */
const FD = { log: 2, control: 3, lane: 4 } as const;
/** Connections that wait while it starts. */
const BACKLOG = 16;

/** A resolver that was started, or found. */
export interface ResolverProcess {
  readonly pid: number;
  readonly startTime: string;
}

/** The directories of an instance's resolvers: each has one of its own, with its sockets and its log. */
export class ResolverPlaces {
  readonly #parent: string;

  constructor(runDir: string) {
    this.#parent = join(runDir, 'names');
  }

  list(): readonly string[] {
    try {
      return readdirSync(this.#parent).map((name) => join(this.#parent, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw error;
    }
  }

  make(): string {
    const directory = join(this.#parent, randomBytes(4).toString('hex'));
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return directory;
  }

  remove(directory: string): void {
    rmSync(directory, { recursive: true, force: true });
  }
}

export interface ResolverProgram {
  readonly path: string;
  readonly group: ResolverGroup;
  readonly places: ResolverPlaces;
}

/** Differs between builds; null where the program is missing. */
export function identityOf({ path }: Pick<ResolverProgram, 'path'>): string | null {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex').slice(0, 16);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

export interface StartedResolver {
  readonly process: ResolverProcess;
  readonly directory: string;
}

/** Starts one; its sockets take connections at once. */
export function startResolver({ path, group, places }: ResolverProgram, identity: string): StartedResolver {
  const directory = places.make();
  const opened: number[] = [];
  const ours = (fd: number): number => {
    opened.push(fd);
    return fd;
  };
  const listen = (name: string, type: 'stream' | 'packets'): number => {
    const fd = ours(listenAt(join(directory, name), BACKLOG, type));
    chmodSync(join(directory, name), 0o600);
    return fd;
  };
  try {
    const node = ours(openSync(process.execPath, constants.O_RDONLY));
    const log = ours(
      openSync(join(directory, 'log'), constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND, 0o600),
    );
    const descriptors = new Map<number, number>([
      [FD.log, log],
      [FD.control, listen(CONTROL_SOCKET, 'stream')],
      [FD.lane, listen(LANE_SOCKET, 'packets')],
    ]);
    const user = ['--uid', `${UNPRIVILEGED}`, '--gid', `${UNPRIVILEGED}`];
    const argv = [process.execPath, path, '--program', identity, ...user];
    const pid = spawn({ executable: node, argv, descriptors });
    const startTime = startTimeOf(pid) ?? '';
    try {
      group.enter(pid);
    } catch (error) {
      endProcess({ pid, startTime });
      throw error;
    }
    return { process: { pid, startTime }, directory };
  } catch (error) {
    places.remove(directory);
    throw error;
  } finally {
    for (const fd of opened) closeSync(fd);
  }
}

/** Kills it unless it has ended. */
export function endProcess({ pid, startTime }: ResolverProcess): void {
  signalProcess(pid, startTime, SIGKILL);
}

/** True when it has ended; one that we started is reaped then. */
export function hasEnded({ pid, startTime }: ResolverProcess): boolean {
  if (startTimeOf(pid) === startTime) return false;
  reap(pid);
  return true;
}
