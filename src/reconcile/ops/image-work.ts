/**
 * Keeps apart those who make images and those who throw unused ones away: an image in the making has layers that no
 * record names yet, and one just made has no name.
 */
export class ImageWork {
  readonly #making = new Set<Promise<unknown>>();
  #pruning: Promise<unknown> = Promise.resolve();

  /** Runs beside others that make images, and never while one prunes. */
  async making<T>(work: () => Promise<T>): Promise<T> {
    for (let seen: unknown = null; seen !== this.#pruning; ) {
      seen = this.#pruning;
      await this.#pruning;
    }
    const running = work();
    this.#making.add(running);
    try {
      return await running;
    } finally {
      this.#making.delete(running);
    }
  }

  /** Runs alone: after all that is going on, and before all that comes later. */
  pruning<T>(work: () => Promise<T>): Promise<T> {
    const running = Promise.allSettled([this.#pruning, ...this.#making]).then(work);
    this.#pruning = running.catch(() => {});
    return running;
  }
}
