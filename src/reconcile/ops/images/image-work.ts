import { ContentSizes } from '../../../images/content-size.ts';
import type { ImageProgress } from '../../../images/image.ts';
import { LayerWork } from '../../../images/layer-work.ts';

/**
 * Keeps apart those who make images and those who throw unused ones away: an image in the making has layers that no
 * record names yet, and one just made has no name.
 */
export class ImageWork {
  readonly layers = new LayerWork<ImageProgress>();
  readonly sizes = new ContentSizes();
  readonly #making = new Set<Promise<unknown>>();
  #pruning: Promise<unknown> | null = null;

  /** Runs beside others that make images, and never while one prunes. One that only waits to prune does not hold it up. */
  async making<T>(work: () => Promise<T>): Promise<T> {
    while (this.#pruning !== null) await this.#pruning;
    const running = work();
    this.#making.add(running);
    try {
      return await running;
    } finally {
      this.#making.delete(running);
    }
  }

  /**
   * Runs alone, as soon as no other work runs: a build may take hours, and what an app needs must not wait for both.
   * @throws the reason of the signal when it aborts before that.
   */
  async pruning<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    while (!this.#isIdle) {
      const idle = Promise.allSettled([this.#pruning, ...this.#making]);
      await (signal === undefined ? idle : Promise.race([idle, once(signal)]));
      signal?.throwIfAborted();
    }
    return this.#alone(work);
  }

  /** Runs alone now, or not at all. @returns whether it ran. */
  async pruningIfIdle(work: () => Promise<void>): Promise<boolean> {
    if (!this.#isIdle) return false;
    await this.#alone(work);
    return true;
  }

  get #isIdle(): boolean {
    return this.#pruning === null && this.#making.size === 0;
  }

  async #alone<T>(work: () => Promise<T>): Promise<T> {
    const running = work();
    this.#pruning = running.catch(() => {});
    try {
      return await running;
    } finally {
      this.#pruning = null;
    }
  }
}

function once(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
