/** A mutex per key: two pieces of work on the same key never overlap. */
export class KeyedMutex {
  readonly #last = new Map<string, Promise<void>>();

  /** Runs `work` after all earlier work on `key` has ended, whether it succeeded or not. Rejects as `work` does. */
  async runExclusive(key: string, work: () => Promise<void>): Promise<void> {
    // An uncontended call starts `work` synchronously: the caller's check that the op is still wanted stays valid.
    const running = this.#last.get(key)?.then(work) ?? work();
    const ended = running.catch(() => {});
    this.#last.set(key, ended);
    try {
      await running;
    } finally {
      if (this.#last.get(key) === ended) this.#last.delete(key);
    }
  }
}
