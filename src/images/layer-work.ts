/** Layers in the making: each is made once, however many ask for it at the same time. */
import type { ImageProgress } from './image.ts';

type Listener = (event: ImageProgress) => void;

interface Making {
  readonly listeners: Set<Listener>;
  /** Bytes of the layer's tar; null when it was there already, false when it was not made. */
  readonly ended: Promise<number | null | false>;
}

export class LayerWork {
  readonly #making = new Map<string, Making>();

  /**
   * Waits for whoever makes the layer, or makes it. A source belongs to the one who brings it, so who fails or is called
   * off does that alone: one of those who wait makes the layer from its own source.
   * @param make makes it unless it is there, and reports to everybody who waits; resolves as this does.
   * @param listener gets what is reported from now on.
   * @param signal ends the wait, with its reason; `make` obeys it by itself.
   * @returns bytes of the layer's tar; null when it was there already.
   */
  async once(
    chainId: string,
    make: (report: Listener) => Promise<number | null>,
    listener: Listener,
    signal?: AbortSignal,
  ): Promise<number | null> {
    for (let other = this.#making.get(chainId); other !== undefined; other = this.#making.get(chainId)) {
      const made = await joined(other, listener, signal);
      if (made !== false) return made;
    }
    const listeners = new Set([listener]);
    const work = make((event) => {
      for (const each of listeners) each(event);
    });
    const ended = work.catch((): false => false).finally(() => this.#making.delete(chainId));
    this.#making.set(chainId, { listeners, ended });
    return work;
  }
}

async function joined(
  { listeners, ended }: Making,
  listener: Listener,
  signal?: AbortSignal,
): Promise<number | null | false> {
  signal?.throwIfAborted();
  // A function of its own, because the same listener may wait twice.
  const own: Listener = (event) => listener(event);
  listeners.add(own);
  let leave: () => void = () => {};
  const left = new Promise<never>((_resolve, reject) => {
    leave = () => reject(signal?.reason);
    signal?.addEventListener('abort', leave, { once: true });
  });
  try {
    return await Promise.race([ended, left]);
  } finally {
    signal?.removeEventListener('abort', leave);
    listeners.delete(own);
  }
}
