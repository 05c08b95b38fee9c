/** Starts that clients asked for and that failed: what an inspection shows of them, and which waiting clients their end goes to. */
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { StartFailure } from '../containers/start-failure.ts';

interface Noted {
  readonly run: number;
  readonly failure: StartFailure;
}

export class FailedStarts {
  readonly #containers: Pick<ContainerStore, 'get'>;
  readonly #noted = new Map<string, Noted>();
  readonly #listeners = new Map<string, Set<() => void>>();

  constructor(containers: Pick<ContainerStore, 'get'>) {
    this.#containers = containers;
  }

  note({ id, run }: Pick<ContainerRecord, 'id' | 'run'>, failure: StartFailure): void {
    for (const other of [...this.#noted.keys()])
      if (this.#containers.get(other) === undefined) this.#noted.delete(other);
    this.#noted.set(id, { run, failure });
    for (const listener of [...(this.#listeners.get(id) ?? [])]) listener();
  }

  /** Of the last start; null when it succeeded, or there was none. */
  of({ id, run }: Pick<ContainerRecord, 'id' | 'run'>): StartFailure | null {
    const noted = this.#noted.get(id);
    return noted?.run === run ? noted.failure : null;
  }

  /** @returns ends it */
  onFailure(id: string, listener: () => void): () => void {
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
    };
  }
}
