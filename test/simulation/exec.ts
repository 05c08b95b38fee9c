import { constants } from 'node:os';
import type {
  AdoptResult,
  AttachedSession,
  ExecDriver,
  Statistics,
  StdioSession,
  TaskExit,
  TaskHandle,
  TaskSpec,
} from '../../src/drivers/contract/exec.ts';
import { TsdError } from '../../src/model/errors/errors.ts';
import type { Disk } from './disk.ts';
import type { Kernel, Payload } from './kernel.ts';
import type { Life } from './universe.ts';

interface Run {
  readonly handle: TaskHandle;
  readonly ended: Promise<void>;
  readonly tellEnd: () => void;
}

type RunKey = Pick<TaskHandle, 'containerId' | 'run'>;

function conflict(message: string): TsdError {
  return new TsdError('TSD_CONTAINER_SETUP', message, { class: 'conflict' });
}

/** Runs with a shim each: a run is followed by the supervisor that started or adopted it, and continues without one. */
export class SimExec implements ExecDriver {
  readonly name = 'sim';
  readonly capabilities = { exec: false, attach: false, pause: false, limits: true };
  readonly #life: Life;
  readonly #disk: Disk;
  readonly #kernel: Kernel;
  readonly #alive = new Map<string, Run>();
  readonly #starting = new Set<string>();
  readonly #listeners: ((exit: TaskExit) => void)[] = [];

  constructor(life: Life, disk: Disk, kernel: Kernel) {
    this.#life = life;
    this.#disk = disk;
    this.#kernel = kernel;
    kernel.onEnd = (payload) => this.#ended(payload);
  }

  fingerprint() {
    return { works: true, problems: [], attributes: {} };
  }

  async start(spec: TaskSpec): Promise<TaskHandle> {
    const { containerId, run } = spec;
    const active = this.#alive.get(containerId);
    if (active?.handle.run === run) return active.handle;
    if (active) throw conflict(`run ${active.handle.run} of ${containerId} is alive`);
    if (this.#starting.has(containerId)) throw conflict(`${containerId} is being started`);
    if (this.#disk.exits.has(`${containerId} ${run}`)) throw conflict(`run ${run} has already ended`);
    this.#starting.add(containerId);
    try {
      this.#life.step('exec.prepare');
      this.#disk.runs.add(containerId);
      await this.#life.pause('exec.launch');
      this.#life.step('exec.launch');
      const payload = this.#kernel.launch(containerId, run, spec.argv, spec.netnsFd);
      await this.#life.pause('exec.launched');
      return this.#follow(payload);
    } finally {
      this.#starting.delete(containerId);
    }
  }

  async adopt(wanted: RunKey & Partial<TaskHandle>): Promise<AdoptResult> {
    await this.#life.pause('exec.adopt');
    this.#life.step('exec.adopt');
    const { containerId, run } = wanted;
    const payload = this.#kernel.payloads.get(containerId);
    if (payload?.run === run) return { state: 'running', handle: this.#follow(payload) };
    const began = wanted.pid !== undefined || this.#disk.begun.has(`${containerId} ${run}`);
    return began ? { state: 'exited', exit: this.#exitOf(wanted) } : { state: 'unstarted' };
  }

  /** All files of this host are its own. */
  async reach(): Promise<number> {
    return 0;
  }

  running(containerId: string): TaskHandle | null {
    return this.#alive.get(containerId)?.handle ?? null;
  }

  openNetns(containerId: string): number {
    const netns = this.#kernel.payloads.get(containerId)?.netns ?? null;
    if (netns === null) throw new TsdError('TSD_NETWORK', `no namespace of ${containerId}`, { class: 'not-found' });
    return netns;
  }

  startedIn(containerId: string, netnsFd: number): boolean | null {
    const payload = this.#alive.has(containerId) ? this.#kernel.payloads.get(containerId) : undefined;
    return payload === undefined ? null : payload.netns === netnsFd;
  }

  unrecorded(): null {
    return null;
  }

  sharedGroups(): readonly string[] {
    return [];
  }

  unfiltered(): boolean {
    return false;
  }

  ending(containerId: string): boolean {
    const run = this.#alive.get(containerId)?.handle.run;
    return run !== undefined && this.#kernel.payloads.get(containerId)?.run !== run;
  }

  onExit(listener: (exit: TaskExit) => void): void {
    this.#listeners.push(listener);
  }

  async signal(containerId: string, signal: number): Promise<void> {
    if (!this.#alive.has(containerId)) {
      throw new TsdError('TSD_CONTAINER_NOT_RUNNING', `${containerId} is not running`);
    }
    this.#life.step('exec.signal');
    const payload = this.#kernel.payloads.get(containerId);
    if (payload && !payload.behaviour.stubborn && signal !== constants.signals.SIGHUP) {
      this.#life.universe.at(2, () => this.#kernel.end(payload, 128 + signal));
    }
    await this.#life.pause('exec.signal');
  }

  async end(containerId: string, signal: number, _killAfterMs: number): Promise<boolean> {
    await this.signal(containerId, signal);
    return false;
  }

  async kill(containerId: string): Promise<void> {
    await this.#life.pause('exec.kill');
    const payload = this.#kernel.payloads.get(containerId);
    if (payload) this.#follow(payload);
    const run = this.#alive.get(containerId);
    if (!run) return;
    this.#life.step('exec.kill');
    if (payload) this.#kernel.end(payload, 137);
    await run.ended;
  }

  pause(): Promise<void> {
    return Promise.resolve();
  }

  unpause(): Promise<void> {
    return Promise.resolve();
  }

  updateResources(containerId: string): void {
    this.#life.step('exec.resources');
    if (!this.#alive.has(containerId)) throw new TsdError('TSD_CONTAINER_NOT_RUNNING', `${containerId} is not running`);
  }

  usage(): null {
    return null;
  }

  async remove(containerId: string): Promise<void> {
    await this.#life.pause('exec.remove');
    if (this.#alive.has(containerId) || this.#kernel.payloads.has(containerId)) {
      throw conflict(`a run of ${containerId} is alive`);
    }
    this.#life.step('exec.remove');
    this.#disk.runs.delete(containerId);
    const { begun, exits } = this.#disk;
    for (const key of exits.keys()) if (key.startsWith(containerId)) exits.delete(key);
    for (const key of begun) if (key.startsWith(containerId)) begun.delete(key);
  }

  alive(): boolean {
    return this.#kernel.payloads.size > 0;
  }

  giveBack(): void {}

  list(): readonly string[] {
    return [...new Set([...this.#disk.runs, ...this.#kernel.payloads.keys()])];
  }

  renewFiles(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  exec(): Promise<StdioSession> {
    throw new TsdError('TSD_BUG', 'not simulated');
  }

  statistics(): Statistics | null {
    return null;
  }

  processes(): readonly number[] {
    return [];
  }

  attachNext(): Promise<AttachedSession> {
    throw new TsdError('TSD_BUG', 'not simulated');
  }

  async resize(): Promise<void> {}

  attach(): Promise<AttachedSession> {
    throw new TsdError('TSD_BUG', 'not simulated');
  }

  close(): void {
    this.#alive.clear();
  }

  /** A run counts as alive until its end is reported. */
  #follow({ containerId, run, pid, startTime, startedAtMs }: Payload): TaskHandle {
    const known = this.#alive.get(containerId);
    if (known?.handle.run === run) return known.handle;
    const { bootId } = this.#life.universe;
    const handle: TaskHandle = { containerId, run, bootId, pid, startTime, startedAtMs, driverState: {} };
    let tellEnd = (): void => {};
    const ended = new Promise<void>((resolve) => {
      tellEnd = resolve;
    });
    this.#alive.set(containerId, { handle, ended, tellEnd });
    if (this.#kernel.payloads.get(containerId)?.pid !== pid) this.#settle(handle);
    return handle;
  }

  #ended({ containerId, run }: Payload): void {
    const followed = this.#alive.get(containerId);
    if (followed?.handle.run === run) this.#settle(followed.handle);
  }

  #settle(handle: TaskHandle): void {
    void this.#life.pause('exec.exit').then(() => {
      const run = this.#alive.get(handle.containerId);
      if (run?.handle !== handle) return;
      this.#alive.delete(handle.containerId);
      const exit = this.#exitOf(handle);
      for (const listener of this.#listeners) listener(exit);
      run.tellEnd();
    });
  }

  #exitOf({ containerId, run }: RunKey): TaskExit {
    const record = this.#disk.exits.get(`${containerId} ${run}`);
    return {
      containerId,
      run,
      exitCode: record?.exitCode ?? null,
      signal: null,
      oomKilled: record?.oomKilled ?? false,
      finishedAtMs: record?.finishedAtMs ?? this.#life.universe.now().wallMs,
    };
  }
}
