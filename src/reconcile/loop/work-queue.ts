import type { Clock, Timers } from '../../model/clock.ts';
import type { ResourceKey } from '../../model/resource.ts';

export interface WorkQueueOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Called when a key has become due, once until the due keys are taken. */
  readonly onDue: () => void;
}

/** Keys to look at, each at most once and at the earliest time that was asked for. Times are on the boot clock. */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #dueAt = new Map<ResourceKey, number>();
  /** When the timer goes off; Infinity without one. */
  #wakeAt = Number.POSITIVE_INFINITY;
  #cancelTimer = () => {};
  #announced = false;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Keys that wait, due or not. */
  get size(): number {
    return this.#dueAt.size;
  }

  /** A key that waits for a later time is moved forward; one that is due earlier stays. */
  add(key: ResourceKey, atBootMs = Number.NEGATIVE_INFINITY): void {
    const known = this.#dueAt.get(key);
    if (known !== undefined && known <= atBootMs) return;
    this.#dueAt.set(key, atBootMs);
    if (atBootMs < this.#wakeAt) this.#schedule(atBootMs);
  }

  /** Removes and returns all due keys, in the order they were added. Schedules no call of `onDue`. */
  takeDue(): ResourceKey[] {
    const now = this.#options.clock.now().bootMs;
    const due: ResourceKey[] = [];
    let next = Number.POSITIVE_INFINITY;
    for (const [key, at] of this.#dueAt) {
      if (at > now) next = Math.min(next, at);
      else due.push(key);
    }
    for (const key of due) this.#dueAt.delete(key);
    this.#announced = false;
    this.#schedule(next, now);
    return due;
  }

  clear(): void {
    this.#dueAt.clear();
    this.#schedule(Number.POSITIVE_INFINITY);
  }

  /** @param now passed by a caller that knows it is not due yet */
  #schedule(atBootMs: number, now = this.#options.clock.now().bootMs): void {
    this.#cancelTimer();
    this.#cancelTimer = () => {};
    this.#wakeAt = atBootMs;
    if (atBootMs === Number.POSITIVE_INFINITY) return;
    const delay = atBootMs - now;
    if (delay <= 0) this.#announce();
    else this.#cancelTimer = this.#options.timers.after(delay, () => this.#wake());
  }

  /** Timers may go off early, or late after a suspend: the clock decides. */
  #wake(): void {
    this.#schedule(this.#wakeAt);
  }

  #announce(): void {
    if (this.#announced) return;
    this.#announced = true;
    this.#options.onDue();
  }
}
