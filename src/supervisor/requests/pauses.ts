/** Containers whose processes stand still while their files are read. */
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import { ChangedMeanwhile } from '../../images/tree/tree-tar.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { requireFeature } from '../../reconcile/exec-features.ts';
import type { FileReaders } from '../../reconcile/ops/file-readers.ts';
import { KeyedMutex } from '../../reconcile/ops/keyed-mutex.ts';
import type { ContainerRecord, RunStatus } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';

type Records = Pick<ContainerStore, 'get' | 'update'>;

export interface PausesParts {
  readonly containers: Records;
  readonly exec: Pick<ExecDriver, 'name' | 'capabilities' | 'running' | 'pause' | 'unpause'>;
  readonly fileReaders: Pick<FileReaders, 'reading'>;
  /** Called when a container is paused, and when it is resumed. */
  readonly onChange: (key: ResourceKey | null) => void;
}

interface Pause {
  begun: Promise<void>;
  /** How many read its files. */
  readers: number;
  /** True once something has begun that resumes the container. */
  isOver: boolean;
}

/** Passes on what is read of the container as long as that is of one moment. */
export type Still = <T>(items: AsyncIterable<T>) => AsyncGenerator<T>;

async function* ofOneMoment<T>(
  items: AsyncIterable<T>,
  { engineName }: ContainerRecord,
  ended: AbortSignal,
): AsyncGenerator<T> {
  try {
    for await (const item of items) {
      ended.throwIfAborted();
      yield item;
    }
  } catch (thrown) {
    if (!(thrown instanceof ChangedMeanwhile)) throw thrown;
    throw new TsdError('TSD_CONTAINER_CHANGED', `container ${engineName}: ${thrown.message}`, { cause: thrown });
  }
  ended.throwIfAborted();
}

function setStatus(containers: Records, id: string, from: RunStatus, to: RunStatus): void {
  const record = containers.get(id);
  if (record?.state.status === from) containers.update({ ...record, state: { ...record.state, status: to } });
}

/** A client paused this very run: it stands still until the client resumes it. */
const isHeld = (containers: Pick<Records, 'get'>, id: string): boolean => {
  const record = containers.get(id);
  return record !== undefined && record.pausedRun === record.run && record.state.status === 'paused';
};

/** Resumes a container that an earlier supervisor paused to read it. */
export async function resumeFound(
  { containers, exec }: { readonly containers: Records; readonly exec: Pick<ExecDriver, 'unpause'> },
  id: string,
): Promise<void> {
  if (containers.get(id)?.state.status !== 'paused' || isHeld(containers, id)) return;
  await exec.unpause(id);
  setStatus(containers, id, 'paused', 'running');
}

/**
 * A pause is recorded before it begins, so that a later supervisor resumes the container, and users see why it does not
 * answer. The last of several readers ends it.
 */
export class Pauses {
  readonly #parts: PausesParts;
  /** Those that a reader may join. */
  readonly #pauses = new Map<string, Pause>();
  /** What is asked of the kernel, by container: each step waits for the one before it. */
  readonly #mutex = new KeyedMutex();

  constructor(parts: PausesParts) {
    this.#parts = parts;
  }

  /**
   * Pauses the container during the work, since files that change while they are read would be torn. A stop of the
   * container ends the pause early, as does the end of the request: `ended` then aborts the work, and what it passes through
   * `still` fails. Readers follow no links, so a resumed container cannot lead them elsewhere.
   * @param signal of the waiting caller
   * @throws TSD_CONTAINER_CHANGED, TSD_DRIVER_LACKS when it cannot be paused, the signal's reason, errors of the work
   */
  during<T>(
    record: ContainerRecord,
    work: (still: Still, ended: AbortSignal) => Promise<T>,
    signal?: AbortSignal,
  ): Promise<T> {
    const { exec, fileReaders } = this.#parts;
    const { id } = record;
    return fileReaders.reading(record, async (disturbed) => {
      const ended = signal === undefined ? disturbed : AbortSignal.any([disturbed, signal]);
      const still: Still = (items) => ofOneMoment(items, record, ended);
      if (exec.running(id) === null) return work(still, ended);
      requireFeature(exec, 'pause', record.owner?.key);
      const pause = this.#pauses.get(id) ?? this.#pause(id);
      const end = (): void => this.#leave(id, pause);
      disturbed.addEventListener('abort', end, { once: true });
      pause.readers++;
      try {
        await pause.begun;
        ended.throwIfAborted();
        return await work(still, ended);
      } finally {
        disturbed.removeEventListener('abort', end);
        if (--pause.readers === 0) await this.#resume(id, pause);
      }
    });
  }

  /**
   * Pauses a container until {@link release}, a stop or its end, whatever reads it meanwhile.
   * @returns false where it is paused already @throws TSD_CONTAINER_NOT_RUNNING
   */
  hold({ id, owner }: ContainerRecord): Promise<boolean> {
    const { containers, exec } = this.#parts;
    requireFeature(exec, 'pause', owner?.key);
    return this.#mutex.runExclusive(id, async () => {
      const record = containers.get(id);
      if (record === undefined || isHeld(containers, id)) return false;
      containers.update({ ...record, pausedRun: record.run, state: { ...record.state, status: 'paused' } });
      this.#notify(id);
      await exec.pause(id);
      return true;
    });
  }

  /** @returns false where no client paused it */
  release({ id }: ContainerRecord): Promise<boolean> {
    const { containers, exec } = this.#parts;
    return this.#mutex.runExclusive(id, async () => {
      const record = containers.get(id);
      if (record === undefined || !isHeld(containers, id)) return false;
      // One that is being read stands still a little longer.
      const isRead = this.#pauses.has(id);
      if (!isRead) await exec.unpause(id);
      const { pausedRun: _, ...rest } = containers.get(id) ?? record;
      containers.update({ ...rest, state: { ...rest.state, status: isRead ? 'paused' : 'running' } });
      this.#notify(id);
      return true;
    });
  }

  #pause(id: string): Pause {
    const pause: Pause = { begun: Promise.resolve(), readers: 0, isOver: false };
    this.#pauses.set(id, pause);
    pause.begun = this.#mutex.runExclusive(id, () => this.#begin(id, pause));
    return pause;
  }

  /** Later readers need a pause of their own. */
  #leave(id: string, pause: Pause): void {
    pause.isOver = true;
    if (this.#pauses.get(id) === pause) this.#pauses.delete(id);
  }

  async #begin(id: string, pause: Pause): Promise<void> {
    const { containers, exec } = this.#parts;
    // A stop that was asked for meanwhile needs its time.
    if (pause.isOver || exec.running(id) === null || isHeld(containers, id)) return;
    setStatus(containers, id, 'running', 'paused');
    this.#notify(id);
    await exec.pause(id);
  }

  #resume(id: string, pause: Pause): Promise<void> {
    if (this.#pauses.get(id) === pause) this.#pauses.delete(id);
    return this.#mutex.runExclusive(id, () => this.#end(id, pause));
  }

  async #end(id: string, pause: Pause): Promise<void> {
    const { containers, exec } = this.#parts;
    // Something else resumed the container, and it is paused again for others.
    if (pause.isOver && this.#pauses.has(id)) return;
    if (exec.running(id) === null || isHeld(containers, id)) return;
    await exec.unpause(id);
    setStatus(containers, id, 'paused', 'running');
    this.#notify(id);
  }

  #notify(id: string): void {
    this.#parts.onChange(this.#parts.containers.get(id)?.owner?.key ?? null);
  }
}
