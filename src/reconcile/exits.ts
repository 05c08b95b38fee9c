import type { TaskExit } from '../drivers/contract/exec.ts';
import type { Clock, Instant } from '../model/clock.ts';
import { formatTime } from '../model/clock.ts';
import type { ResourceKey } from '../model/resource.ts';
import type { ContainerRecord, RunHandle, RunState } from '../state/containers/container-record.ts';
import type { ContainerStore } from '../state/containers/containers.ts';

export type ExitListener = (exit: TaskExit, key: ResourceKey | null) => void;

const alive = (record: ContainerRecord | undefined): boolean =>
  record?.state.status === 'running' || record?.state.status === 'paused';

/**
 * The end of a run on the boot clock, null when the run was of another boot. It follows from how long ago the end was by
 * the wall clock, which may have been set since: the run's own start and the present are its bounds.
 */
export function bootTimeOfEnd(state: RunState, finishedAtMs: number, now: Instant, bootId: string): number | null {
  if (state.bootId !== bootId) return null;
  const age = now.wallMs - finishedAtMs;
  return Math.min(now.bootMs, Math.max(state.startedAtBootMs ?? 0, now.bootMs - age));
}

/**
 * The state of a run that began unseen: its supervisor ended before it wrote down that the start had worked. What is
 * known of its start is when it was begun; what `state` says is of the run before.
 */
export function stateOfUnseenStart({ state, begunAt }: Pick<ContainerRecord, 'state' | 'begunAt'>): RunState {
  if (begunAt === null) return { ...state, startedAt: null, startedAtBootMs: null };
  return { ...state, startedAt: begunAt.at, bootId: begunAt.bootId, startedAtBootMs: begunAt.atBootMs };
}

/**
 * The start of a run that has just been started, on the boot clock: how long ago it was by the wall clock, which may have
 * been set since, and not before the run was begun.
 */
export function bootTimeOfLaunch(
  begunAt: ContainerRecord['begunAt'],
  { bootId, startedAtMs }: Pick<RunHandle, 'bootId' | 'startedAtMs'>,
  now: Instant,
): number {
  const earliest = begunAt?.bootId === bootId ? begunAt.atBootMs : 0;
  return Math.max(earliest, now.bootMs - Math.max(0, now.wallMs - startedAtMs));
}

/**
 * Returns the start time of a live run on the boot clock: the recorded one, or else the time its start was begun. A time
 * derived from the wall clock would differ between supervisors.
 */
export function bootTimeOfStart(
  { handle: known, state, begunAt }: Pick<ContainerRecord, 'handle' | 'state' | 'begunAt'>,
  handle: Pick<RunHandle, 'run' | 'bootId' | 'startedAtMs'>,
  now: Instant,
): number {
  const recorded = known?.run === handle.run && state.bootId === handle.bootId ? state.startedAtBootMs : null;
  const begun = begunAt?.bootId === handle.bootId ? begunAt.atBootMs : null;
  return recorded ?? begun ?? bootTimeOfLaunch(null, handle, now);
}

/** Writes the ends of runs into the container records and wakes waiting callers. */
export class ExitRecorder {
  readonly #containers: ContainerStore;
  readonly #clock: Clock;
  readonly #bootId: string;
  readonly #listeners = new Set<ExitListener>();
  /** Ends of runs whose start has not been recorded yet. */
  readonly #early = new Map<string, TaskExit>();

  constructor(containers: ContainerStore, clock: Clock, bootId: string) {
    this.#containers = containers;
    this.#clock = clock;
    this.#bootId = bootId;
  }

  /** Takes the end of a run. One that comes before {@link started} waits for it. */
  record(exit: TaskExit): void {
    const record = this.#containers.get(exit.containerId);
    if (record?.run !== exit.run) return;
    if (!alive(record)) {
      this.#early.set(exit.containerId, exit);
      return;
    }
    this.#containers.updateSoon({
      ...record,
      state: {
        ...record.state,
        status: 'exited',
        pid: 0,
        exitCode: exit.exitCode,
        oomKilled: exit.oomKilled,
        finishedAt: formatTime(exit.finishedAtMs),
        finishedAtBootMs: bootTimeOfEnd(record.state, exit.finishedAtMs, this.#clock.now(), this.#bootId),
      },
    });
    for (const listener of [...this.#listeners]) listener(exit, record.owner?.key ?? null);
  }

  /** The start of a run has been recorded; an end that came before is taken now. */
  started(containerId: string, run: number): void {
    const exit = this.#early.get(containerId);
    this.#early.delete(containerId);
    if (exit?.run === run) this.record(exit);
  }

  /** Drops the early exit of a container that is gone. */
  forget(containerId: string): void {
    this.#early.delete(containerId);
  }

  /** @returns a function that ends the subscription. */
  onExit(listener: ExitListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Resolves when the container's present run has ended, at once when it has none, or when the signal aborts. */
  ended(containerId: string, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted || !alive(this.#containers.get(containerId))) return Promise.resolve();
    return new Promise((resolve) => {
      const end = (): void => {
        stop();
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const stop = this.onExit((exit) => exit.containerId === containerId && end());
      signal?.addEventListener('abort', end, { once: true });
    });
  }
}
