/**
 * The files of a run: `<root>/execdriver/native/<id>/{state.json,container.json,exit.<run>}` in Docker 1.4's
 * format with keys of ours added, and the shim's socket below the run directory.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ListedDirectory } from '../../../ffi/files/listed-directory.ts';
import { checkSocketPath } from '../../../ffi/sockets/sockets.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { Instance } from '../../contract/driver.ts';
import type { RecordedNetwork, TaskHandle, TaskSpec } from '../../contract/exec.ts';
import { containerJson, stateJson, type TaskDevices } from './docker-records.ts';
import { type ShimIdentity, shimState } from './shim/shim-identity.ts';

/** `<first 12 of the id>.<run>.sock`: a socket path has 107 bytes. */
const SOCKET_NAME = /^([0-9a-f]{12})\.(\d+)\.sock$/;
const EXIT_NAME = /^exit\.(\d+)(\.tmp)?$/;
const ID = /^[0-9a-f]{64}$/;

export function isContainerId(name: string): boolean {
  return ID.test(name);
}

export class RunFiles {
  readonly #home: string;
  readonly #sockets: string;
  readonly #listed: ListedDirectory;

  constructor(instance: Instance) {
    this.#home = join(instance.root, 'execdriver', 'native');
    this.#sockets = join(instance.runDir, 'shim');
    this.#listed = new ListedDirectory(this.#home, isContainerId);
  }

  /** Makes the directories of a run. @throws TSD_FLAG when the run directory is too long for a socket below it. */
  create(containerId: string, run: number): void {
    checkSocketPath(this.socket(containerId, run));
    mkdirSync(this.directory(containerId), { recursive: true, mode: 0o700 });
    mkdirSync(this.#sockets, { recursive: true, mode: 0o700 });
  }

  directory(containerId: string): string {
    if (!isContainerId(containerId)) throw new TsdError('TSD_BUG', `"${containerId}" is not a container id`);
    return join(this.#home, containerId);
  }

  socket(containerId: string, run: number): string {
    return join(this.#sockets, `${containerId.slice(0, 12)}.${run}.sock`);
  }

  exitRecord(containerId: string, run: number): string {
    return join(this.directory(containerId), `exit.${run}`);
  }

  /** True from before the payload begins until the run has a record; the shim reserves the record's room first. */
  wasBegun(containerId: string, run: number): boolean {
    return existsSync(`${this.exitRecord(containerId, run)}.tmp`);
  }

  writeContainer(spec: TaskSpec, devices: TaskDevices, cgroups: Readonly<Record<string, string>>): void {
    this.#write(spec.containerId, 'container.json', containerJson(spec, devices, cgroups));
  }

  /** state.json: present while the driver says "running". */
  writeState(
    handle: TaskHandle,
    shim: ShimIdentity,
    network: RecordedNetwork | null,
    cgroups: Readonly<Record<string, string>>,
  ): void {
    this.#write(handle.containerId, 'state.json', stateJson(handle, shim, network, cgroups));
  }

  /**
   * The handle in state.json; null when there is none, or one that this driver did not write (Docker's).
   * @throws what kept it from being read.
   */
  readState(containerId: string): TaskHandle | null {
    let state: Record<string, unknown>;
    try {
      state = JSON.parse(readFileSync(join(this.directory(containerId), 'state.json'), 'utf8'));
    } catch (thrown) {
      // What is not there and what was torn says nothing; what could not be read may say that it runs.
      if (thrown instanceof SyntaxError || (thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw thrown;
    }
    const handle = {
      containerId,
      run: state.run,
      bootId: state.boot_id,
      pid: state.init_pid,
      startTime: state.init_start_time,
      startedAtMs: state.started_at_ms,
    };
    const shim = { shimPid: state.shim_pid, shimStartTime: state.shim_start_time };
    const isWhole = [...Object.values(handle), ...Object.values(shim)].every((value) => value !== undefined);
    return isWhole
      ? { ...(handle as Omit<TaskHandle, 'driverState'>), driverState: shimState(shim as ShimIdentity) }
      : null;
  }

  /** The run has ended: nothing says "running" any more. The exit record stays. */
  endRun(containerId: string, run: number): void {
    rmSync(this.socket(containerId, run), { force: true });
    rmSync(join(this.directory(containerId), 'state.json'), { force: true });
    rmSync(join(this.directory(containerId), 'container.json'), { force: true });
  }

  /** Removes the records of runs before this one, and what a failed start left. */
  forgetRunsBefore(containerId: string, run: number): void {
    for (const name of listing(this.directory(containerId))) {
      const match = EXIT_NAME.exec(name);
      if (match && Number(match[1]) < run) rmSync(join(this.directory(containerId), name), { force: true });
    }
  }

  /** Runs of which a socket is there. */
  runsWithSocket(containerId: string): number[] {
    return listing(this.#sockets).flatMap((name) => {
      const match = SOCKET_NAME.exec(name);
      return match?.[1] === containerId.slice(0, 12) ? [Number(match[2])] : [];
    });
  }

  remove(containerId: string): void {
    for (const run of this.runsWithSocket(containerId)) rmSync(this.socket(containerId, run), { force: true });
    rmSync(this.directory(containerId), { recursive: true, force: true });
  }

  /** Ids of containers with a directory here; the same array while nothing changed. */
  list(): readonly string[] {
    return this.#listed.names();
  }

  /** Derivable after a crash of the host, so renamed into place but not synced. */
  #write(containerId: string, name: string, text: string): void {
    const path = join(this.directory(containerId), name);
    writeFileSync(`${path}.tmp`, text, { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
  }
}

function listing(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
