import type { Clock, Instant, Timers } from '../../src/model/clock.ts';

interface Waiting {
  readonly atMs: number;
  readonly order: number;
  readonly task: () => void;
}

/** A clock that moves only when a test advances it. */
export class ManualTime implements Clock, Timers {
  #bootMs = 1_000_000;
  #order = 0;
  readonly #waiting = new Set<Waiting>();

  now(): Instant {
    return { wallMs: 1_800_000_000_000 + this.#bootMs, bootMs: this.#bootMs };
  }

  after(ms: number, task: () => void): () => void {
    const waiting = { atMs: this.#bootMs + Math.max(0, ms), order: this.#order++, task };
    this.#waiting.add(waiting);
    return () => this.#waiting.delete(waiting);
  }

  /** Timers that have not fired. */
  get pending(): number {
    return this.#waiting.size;
  }

  /** Advances by `ms`; whatever falls due happens in order, with the microtasks it causes. */
  async advance(ms: number): Promise<void> {
    const end = this.#bootMs + ms;
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#waiting.delete(next);
      this.#bootMs = Math.max(this.#bootMs, next.atMs);
      next.task();
      await settled();
    }
    this.#bootMs = end;
    await settled();
  }

  #next(end: number): Waiting | undefined {
    const due = [...this.#waiting].filter(({ atMs }) => atMs <= end);
    return due.sort((a, b) => a.atMs - b.atMs || a.order - b.order)[0];
  }
}

/** Lets everything that is ready run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
