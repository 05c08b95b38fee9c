/** Number of events kept for late subscribers (docker 1.4, events/events.go). */
const KEPT_EVENTS = 64;

/** The latest events in order, and subscriptions to new ones. */
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

  /** Returns the kept events of a time span, both ends included. */
  between(sinceWallMs: number, untilWallMs = Number.POSITIVE_INFINITY): readonly E[] {
    return this.#kept.filter(({ atWallMs }) => atWallMs >= sinceWallMs && atWallMs <= untilWallMs);
  }

  /** Returns a function that unsubscribes. */
  subscribe(subscriber: (event: E) => void): () => void {
    this.#subscribers.add(subscriber);
    return () => this.#subscribers.delete(subscriber);
  }
}
