/** The runs known to be alive: from the start of the payload until the exit has been reported. */
import { setTimeout as delay } from 'node:timers/promises';
import { bootId, describeProcess, SIGKILL, signalProcess, startTimeOf } from '../../../ffi/process/processes.ts';
import type { Clock } from '../../../model/clock.ts';
import { TsdError, toTsdError } from '../../../model/errors/errors.ts';
import type { AdoptResult, ExecDriver, TaskExit, TaskHandle } from '../../contract/exec.ts';
import type { CgroupManager } from './cgroups/container-groups.ts';
import type { RunFiles } from './run-files.ts';
import { DamagedRecord, type ExitRecord, readExitRecord } from './shim/exit-record.ts';
import { ProcessConnection, type RunConnection } from './shim/process-connection.ts';
import type { ShimChildren } from './shim/shim-children.ts';
import { ShimConnection } from './shim/shim-connection.ts';
import { type ShimIdentity, shimOf, shimRuns, shimState } from './shim/shim-identity.ts';
import type { Launched, ShimStatus } from './shim/shim-protocol.ts';
import { cannotRecord, foreignShim, silentShim } from './shim/shim-trouble.ts';

/** How long a killed payload may take to disappear before its run is over without it. */
const DEATH_TIMEOUT_MS = 10_000;
/** Until a record is read again that there was no descriptor for. */
const REREAD_MS = 50;

export interface Run {
  readonly handle: TaskHandle;
  readonly shim: ShimIdentity;
  readonly connection: RunConnection;
  /** Resolves when the listeners have been called. */
  readonly ended: Promise<void>;
}

type RunKey = Pick<TaskHandle, 'containerId' | 'run'>;
/** A run that does not answer, with what the record of the container and state.json say of it. */
type LostRun = RunKey & Partial<TaskHandle> & { readonly shim: ShimIdentity | null };

export interface RunsContext {
  readonly files: RunFiles;
  readonly children: ShimChildren;
  readonly cgroups: Pick<CgroupManager, 'kill' | 'oomKilled' | 'processes'>;
  readonly clock: Clock;
}

export class Runs {
  readonly #context: RunsContext;
  readonly #alive = new Map<string, Run>();
  readonly #listeners: ((exit: TaskExit) => void)[] = [];
  /** Errno by container whose shim cannot write its exit record. */
  readonly #unrecorded = new Map<string, number>();
  /** Connections to shims that have not said yet what they are. */
  readonly #asked = new Set<ShimConnection>();
  #closed = false;

  constructor(context: RunsContext) {
    this.#context = context;
  }

  get areAlive(): boolean {
    return this.#alive.size > 0;
  }

  get(containerId: string): Run | null {
    return this.#alive.get(containerId) ?? null;
  }

  /** @throws TSD_CONTAINER_NOT_RUNNING */
  need(containerId: string): Run {
    const run = this.#alive.get(containerId);
    if (run === undefined) throw new TsdError('TSD_CONTAINER_NOT_RUNNING', `${containerId} is not running`);
    return run;
  }

  /** As {@link ShimConnection.demand}. @throws TSD_SHIM naming the shim when it does not answer. */
  async demand({ connection, shim }: Run, step: string, type: number, payload: Uint8Array): Promise<void> {
    try {
      await connection.demand(step, type, payload);
    } catch (error) {
      if (error instanceof TsdError && error.code === 'TSD_TIMEOUT') throw silentShim(shim.shimPid, step, error);
      throw error;
    }
  }

  /** Waits for the end of a run that was killed. @throws TSD_SHIM when its shim hangs. */
  async buried({ ended, shim }: Run): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(silentShim(shim.shimPid, 'kill', null)), DEATH_TIMEOUT_MS);
    });
    try {
      await Promise.race([ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** As {@link ExecDriver.unrecorded}. */
  unrecorded(containerId: string): string | null {
    const [run, errno] = [this.#alive.get(containerId), this.#unrecorded.get(containerId)];
    if (run === undefined || errno === undefined) return null;
    return cannotRecord(run.shim.shimPid, this.#context.files.exitRecord(containerId, run.handle.run), errno);
  }

  onExit(listener: (exit: TaskExit) => void): void {
    this.#listeners.push(listener);
  }

  record({ containerId, run }: RunKey): ExitRecord | null {
    return readExitRecord(this.#context.files.exitRecord(containerId, run));
  }

  #recordOrDamage(key: RunKey): ExitRecord | 'damaged' | null {
    try {
      return this.record(key);
    } catch (error) {
      if (error instanceof DamagedRecord) return 'damaged';
      throw error;
    }
  }

  /** A run counts as alive until the connection ends: the shim leaves when the exit record is durable, or was killed. */
  follow(handle: TaskHandle, shim: ShimIdentity, connection: RunConnection): Run {
    const ended = new Promise<void>((resolve) => {
      connection.listen({
        unrecorded: (errno) => this.#unrecorded.set(handle.containerId, errno),
        closed: () => {
          if (!this.#closed) void this.#settle(handle, shim).then(resolve);
        },
      });
    });
    const run = { handle, shim, connection, ended };
    this.#alive.set(handle.containerId, run);
    return run;
  }

  /** Follows the run whose shim listens on its socket; null when there is none. */
  async connect(key: RunKey): Promise<Run | null> {
    const { containerId, run } = key;
    const path = this.#context.files.socket(containerId, run);
    const answer = await this.#reach(path, containerId);
    if (answer === null) return null;
    const { connection, status } = answer;
    // Another call may have adopted the same run meanwhile.
    const known = this.#alive.get(containerId);
    if (known === undefined && status.containerId === containerId && status.run === run) {
      if (status.recordErrno !== 0) this.#unrecorded.set(containerId, status.recordErrno);
      const { handle, shim } = begun(key, status.launched);
      return this.follow(handle, shim, connection);
    }
    connection.close();
    if (known !== undefined) return known;
    throw new TsdError('TSD_SHIM', `another run answers on ${path}`, { step: 'adopt' });
  }

  async adopt(wanted: RunKey & Partial<TaskHandle>): Promise<AdoptResult> {
    const active = this.get(wanted.containerId);
    if (active?.handle.run === wanted.run) return { state: 'running', handle: active.handle };
    const record = this.#recordOrDamage(wanted);
    if (record !== null && record !== 'damaged') {
      await this.#killLeft(wanted);
      return this.#adoptEnded(wanted, record);
    }
    const found = await this.connect(wanted);
    if (found !== null) return { state: 'running', handle: found.handle };
    // The shim may have left between the two looks.
    const late = this.#recordOrDamage(wanted);
    if (late !== null && late !== 'damaged') return this.#adoptEnded(wanted, late);
    if (late === null && wanted.pid === undefined && !this.#context.files.wasBegun(wanted.containerId, wanted.run)) {
      this.#context.files.endRun(wanted.containerId, wanted.run);
      return { state: 'unstarted' };
    }
    const known = this.#context.files.readState(wanted.containerId);
    const shim = shimOf(wanted.driverState) ?? shimOf(known?.driverState);
    const lost = { ...known, ...wanted, shim };
    const followed = this.#followWithoutSocket(lost);
    if (followed !== null) return { state: 'running', handle: followed };
    await this.#buryLost(lost);
    return this.#adoptEnded(wanted, null);
  }

  /** Returns the current run of the container, also one of an earlier supervisor that has not been adopted, or null. */
  async find(containerId: string): Promise<Run | null> {
    const active = this.get(containerId);
    if (active !== null) return active;
    for (const run of this.#context.files.runsWithSocket(containerId)) {
      const found = await this.connect({ containerId, run });
      if (found !== null) return found;
    }
    return null;
  }

  /** Disconnects from all runs. Their exits are not reported any more. */
  close(): void {
    this.#closed = true;
    for (const connection of this.#asked) connection.close();
    for (const { connection } of this.#alive.values()) connection.close();
    this.#alive.clear();
  }

  async #settle(handle: TaskHandle, { shimPid }: ShimIdentity): Promise<void> {
    const { files, children } = this.#context;
    children.leaving(shimPid);
    const record = await this.#lastRecord(handle);
    // What cannot be killed now is still in list(), and remove() says why it cannot be removed.
    if (record === null) await this.#bury(handle).catch(() => {});
    else await this.#killLeft(handle).catch(() => {});
    const exit = this.#exit(handle, record);
    try {
      files.endRun(handle.containerId, handle.run);
    } catch {
      // The disk fails. The leftover record says "running" of processes that are gone, which readers check, and the next
      // run replaces it.
    }
    this.#alive.delete(handle.containerId);
    this.#unrecorded.delete(handle.containerId);
    for (const listener of this.#listeners) listener(exit);
  }

  /** Null when there is no shim. @throws TSD_SHIM when it is one that we cannot talk to. */
  async #reach(path: string, containerId: string): Promise<{ connection: ShimConnection; status: ShimStatus } | null> {
    const shimPid = () => shimOf(this.#context.files.readState(containerId)?.driverState)?.shimPid;
    let connection: ShimConnection | null = null;
    try {
      connection = ShimConnection.connect(path, ShimConnection.ofRun);
      const status = connection && (await this.#statusOf(connection));
      if (connection !== null && status !== null) return { connection, status };
    } catch (error) {
      connection?.close();
      throw silentShim(shimPid(), 'adopt', error);
    }
    // We let go of it: that says nothing about the shim.
    if (this.#closed) throw silentShim(shimPid(), 'adopt', null);
    if (connection !== null && connection.foreignVersion !== null) {
      throw foreignShim(shimPid(), connection.foreignVersion);
    }
    return null;
  }

  async #statusOf(connection: ShimConnection): Promise<ShimStatus | null> {
    this.#asked.add(connection);
    try {
      return await connection.status();
    } finally {
      this.#asked.delete(connection);
    }
  }

  /** A record that is damaged says as much as none. One that this process has no descriptor for is read when it has. */
  async #lastRecord(key: RunKey): Promise<ExitRecord | null> {
    for (;;) {
      try {
        return this.record(key);
      } catch (error) {
        if (this.#closed || toTsdError(error).class !== 'exhausted') return null;
      }
      await delay(REREAD_MS);
    }
  }

  #exit({ containerId, run }: RunKey, record: ExitRecord | null): TaskExit {
    return {
      containerId,
      run,
      exitCode: record?.exitCode ?? null,
      signal: record?.signal ?? null,
      oomKilled: this.#context.cgroups.oomKilled(containerId),
      finishedAtMs: record?.finishedAtMs ?? this.#context.clock.now().wallMs,
    };
  }

  #adoptEnded(key: RunKey, record: ExitRecord | null): AdoptResult {
    const exit = this.#exit(key, record);
    this.#context.files.endRun(key.containerId, key.run);
    return { state: 'exited', exit };
  }

  /** Returns the connection to a shim that runs without its socket (its run directory was removed); null for any other. */
  #followWithoutSocket({ shim, ...lost }: LostRun): TaskHandle | null {
    const { pid, startTime, startedAtMs } = lost;
    if (lost.bootId !== bootId() || pid === undefined || startTime === undefined || startedAtMs === undefined)
      return null;
    if (shim === null || !shimRuns(shim)) return null;
    const handle = { ...lost, bootId: lost.bootId, pid, startTime, startedAtMs, driverState: shimState(shim) };
    return this.follow(handle, shim, new ProcessConnection({ ...handle, ...shim })).handle;
  }

  /** A run without a record and without a shim. Pids of another boot mean nothing. */
  async #buryLost({ shim, ...handle }: LostRun): Promise<void> {
    if (handle.bootId !== bootId()) return;
    const { containerId, pid, startTime } = handle;
    if (shim !== null && shimRuns(shim)) {
      const { shimPid } = shim;
      const message = `it runs on untouched: its shim (${describeProcess(shimPid)}) has no socket any more`;
      const wayOut = `\`kill -9 ${shimPid}\` ends the container, which then follows its restart policy`;
      throw new TsdError('TSD_SHIM', `${message}; ${wayOut}`, { step: 'adopt' });
    }
    if (pid !== undefined && startTime !== undefined) await this.#bury({ containerId, pid, startTime });
  }

  /** A pid namespace ends with its first process, and all in it; one that is shared does not. */
  async #killLeft({ containerId, run }: RunKey): Promise<void> {
    const { cgroups, files } = this.#context;
    const other = this.#alive.get(containerId)?.handle.run ?? run;
    if (other !== run || files.runsWithSocket(containerId).some((number) => number !== run)) return;
    if (cgroups.processes(containerId).length > 0) await cgroups.kill(containerId);
  }

  /** Kills what is left of a run whose shim was killed; the kernel normally kills the payload with it. */
  async #bury({ containerId, pid, startTime }: Pick<TaskHandle, 'containerId' | 'pid' | 'startTime'>): Promise<void> {
    const { cgroups, clock } = this.#context;
    signalProcess(pid, startTime, SIGKILL);
    await cgroups.kill(containerId);
    const giveUp = clock.now().bootMs + DEATH_TIMEOUT_MS;
    while (startTimeOf(pid) === startTime && clock.now().bootMs < giveUp) await delay(1);
  }
}

/** A run from what its shim reports of the launch. */
export function begun(
  { containerId, run }: RunKey,
  { shimPid, pid, startTime, startedAtMs }: Launched,
): Pick<Run, 'handle' | 'shim'> {
  // Null only when it has ended since; then no process has this start time.
  const shim = { shimPid, shimStartTime: startTimeOf(shimPid) ?? '0' };
  const handle = { containerId, run, bootId: bootId(), pid, startTime, startedAtMs, driverState: shimState(shim) };
  return { handle, shim };
}
