/** How many events are kept for those who ask late (docker 1.4, events/events.go). */
const KEPT_EVENTS = 64;

/** The latest events, in order, for readers of the past and of the future. */
export class EventRing<E extends { readonly atWallMs: number }> {
  readonly #kept: E[] = [];
  readonly #subscribers = new Set<(event: E) => void>();

  get subscribers(): number {
    return this.#subscribers.size;
  }

  log(event: E): void {
    this.#kept.push(event);
    if (this.#kept.length > KEPT_EVENTS) this.#kept.shift();
    for (const subscriber of this.#subscribers) subscriber(event);
  }

  /** Kept events of this time span; both ends are in it. */
  between(sinceWallMs: number, untilWallMs = Number.POSITIVE_INFINITY): readonly E[] {
    return this.#kept.filter(({ atWallMs }) => atWallMs >= sinceWallMs && atWallMs <= untilWallMs);
  }

  /** Returns how to unsubscribe. */
  subscribe(subscriber: (event: E) => void): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }
}
