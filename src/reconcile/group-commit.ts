import type { DurableBatch, StateFiles } from '../state/durable.ts';

/**
 * Durable changes of operations that run at the same time, committed together: what is staged while one commit is on its
 * way to the disk goes with the next. Each caller waits for its own only.
 */
export class GroupCommit {
  readonly #files: StateFiles;
  #open: { batch: DurableBatch; done: Promise<void> } | null = null;
  #running: Promise<void> = Promise.resolve();

  constructor(files: StateFiles) {
    this.#files = files;
  }

  /** @param stage puts changes into the batch. Resolves when they are durable. @throws TsdError of the commit. */
  commit(stage: (batch: DurableBatch) => void): Promise<void> {
    const group = this.#open ?? this.#begin();
    stage(group.batch);
    return group.done;
  }

  #begin(): { batch: DurableBatch; done: Promise<void> } {
    const batch = this.#files.batch();
    const done = this.#running
      .then(() => new Promise<void>((next) => setImmediate(next)))
      .then(() => {
        this.#open = null;
        return batch.commit();
      });
    this.#running = done.catch(() => {});
    this.#open = { batch, done };
    return this.#open;
  }
}
