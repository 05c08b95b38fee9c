/** Layers that are being created: each once, for any number of concurrent callers. */
type Listener<E> = (event: E) => void;

interface Making<E> {
  readonly listeners: Set<Listener<E>>;
  /** Bytes of the layer's tar; null when it was there already, false when it was not made. */
  readonly ended: Promise<number | null | false>;
}

export class LayerWork<E> {
  readonly #making = new Map<string, Making<E>>();

  /**
   * Waits for whoever makes the layer, or makes it. A source belongs to the one who brings it, so who fails or is called
   * off does that alone: one of those who wait makes the layer from its own source.
   * @param make makes it unless it is there, and reports to everyone who waits; resolves as this does.
   * @param listener gets what is reported from now on.
   * @param signal ends the wait, with its reason; `make` obeys it by itself.
   * @returns bytes of the layer's tar; null when it was there already.
   */
  async once(
    chainId: string,
    make: (report: Listener<E>) => Promise<number | null>,
    listener: Listener<E>,
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

async function joined<E>(
  { listeners, ended }: Making<E>,
  listener: Listener<E>,
  signal?: AbortSignal,
): Promise<number | null | false> {
  signal?.throwIfAborted();
  // A function of its own, because the same listener may wait twice.
  const own: Listener<E> = (event) => listener(event);
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
