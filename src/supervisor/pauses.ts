/** Containers whose processes stand still while their files are read. */
import type { ResourceKey } from '../model/resource.ts';
import type { World } from '../reconcile/ops/world.ts';
import type { ContainerRecord, RunStatus } from '../state/container-record.ts';

export interface PausesParts {
  readonly world: World;
  /** Called when a container stands still, and when it goes on. */
  readonly onChange: (key: ResourceKey | null) => void;
}

interface Pause {
  readonly begun: Promise<void>;
  /** How many read its files. */
  readers: number;
}

/** Passes on what is read of the container as long as that is of one moment. */
export type Still = <T>(items: AsyncIterable<T>) => AsyncGenerator<T>;

async function* untilAborted<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  for await (const item of items) {
    signal.throwIfAborted();
    yield item;
  }
  signal.throwIfAborted();
}

function setStatus(world: World, id: string, from: RunStatus, to: RunStatus): void {
  const record = world.containers.get(id);
  if (record?.state.status === from) world.containers.update({ ...record, state: { ...record.state, status: to } });
}

/** Lets a container go on that an earlier supervisor had paused. */
export async function resumeFound(world: World, id: string): Promise<void> {
  if (world.containers.get(id)?.state.status !== 'paused') return;
  await world.exec.unpause(id);
  setStatus(world, id, 'paused', 'running');
}

/**
 * A pause is written down before it begins, so that a supervisor that follows lets the container go on, and everybody sees
 * why it does not answer. The last reader of several ends it.
 */
export class Pauses {
  readonly #parts: PausesParts;
  readonly #pauses = new Map<string, Pause>();
  /** Pauses that are being ended; the next one waits for that. */
  readonly #ending = new Map<string, Promise<void>>();

  constructor(parts: PausesParts) {
    this.#parts = parts;
  }

  /**
   * Stops the container's processes meanwhile: what is written while its files are read would be torn. A stop of the
   * container ends that early, and wins: what the work passes through `still` fails then. Readers are led nowhere else all
   * the same, since they follow no links.
   * @throws TSD_CONTAINER_CHANGED, and what the work throws
   */
  during<T>(record: ContainerRecord, work: (still: Still) => Promise<T>): Promise<T> {
    const { exec, fileReaders, stopClocks } = this.#parts.world;
    const { id } = record;
    return fileReaders.reading(record, async (disturbed) => {
      // A pause would take the time from it that it has to end.
      if (stopClocks.isEnding(id)) fileReaders.disturb(record, 'was stopped');
      disturbed.throwIfAborted();
      const still: Still = (items) => untilAborted(items, disturbed);
      if (!exec.capabilities.pause || exec.running(id) === null) return work(still);
      const pause = this.#pauses.get(id) ?? this.#pause(id);
      pause.readers++;
      try {
        await pause.begun;
        disturbed.throwIfAborted();
        return await work(still);
      } finally {
        if (--pause.readers === 0) await this.#resume(id);
      }
    });
  }

  #pause(id: string): Pause {
    const begun = (this.#ending.get(id) ?? Promise.resolve()).then(() => this.#begin(id));
    const pause = { begun, readers: 0 };
    this.#pauses.set(id, pause);
    return pause;
  }

  async #begin(id: string): Promise<void> {
    const { world } = this.#parts;
    if (world.exec.running(id) === null) return;
    setStatus(world, id, 'running', 'paused');
    this.#tell(id);
    await world.exec.pause(id);
  }

  #resume(id: string): Promise<void> {
    this.#pauses.delete(id);
    const ended = this.#end(id);
    const settled = ended.catch(() => {}).then(() => void this.#ending.delete(id));
    this.#ending.set(id, settled);
    return ended;
  }

  async #end(id: string): Promise<void> {
    const { world } = this.#parts;
    if (world.exec.running(id) === null) return;
    await world.exec.unpause(id);
    setStatus(world, id, 'paused', 'running');
    this.#tell(id);
  }

  #tell(id: string): void {
    this.#parts.onChange(this.#parts.world.containers.get(id)?.owner?.key ?? null);
  }
}
