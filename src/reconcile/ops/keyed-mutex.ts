/** A mutex per key: two pieces of work on the same key never overlap. */
export class KeyedMutex {
  readonly #last = new Map<string, Promise<void>>();

  /** Runs `work` after all earlier work on `key` has ended, whether it succeeded or not. Rejects as `work` does. */
  async runExclusive<T>(key: string, work: () => Promise<T>): Promise<T> {
    // An uncontended call starts `work` synchronously: the caller's check that the op is still wanted stays valid.
    const running = this.#last.get(key)?.then(work) ?? work();
    const ended = running.then(
      () => {},
      () => {},
    );
    this.#last.set(key, ended);
    try {
      return await running;
    } finally {
      if (this.#last.get(key) === ended) this.#last.delete(key);
    }
  }
}
