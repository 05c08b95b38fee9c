import type { Timers } from '../../model/clock.ts';

export interface ProbeTurnsOptions {
  readonly timers: Timers;
  /** Tries at the same time that have begun just now. */
  readonly atOnce: number;
}

/** A try that takes longer costs nothing any more, it only waits: another one may begin beside it. */
const YOUNG_MS = 1_000;
/** So many may wait beside the young ones. */
const WAITING_AT_ONCE = 512;

interface Waiting {
  readonly group: string;
  readonly begin: () => void;
}

/**
 * Lets tries of probes begin, not too many at the same time, and those first whose group has the fewest: what hangs takes no
 * turns away from others.
 */
export class ProbeTurns {
  readonly #options: ProbeTurnsOptions;
  /** In the order in which they came. */
  readonly #waiting: Waiting[] = [];
  readonly #young = new Map<string, number>();
  #taken = 0;
  #old = 0;

  constructor(options: ProbeTurnsOptions) {
    this.#options = options;
  }

  /** @param group those who share a turn: an app */
  async take<T>(group: string, work: () => Promise<T>): Promise<T> {
    if (this.#taken < this.#options.atOnce) this.#enter(group);
    else await new Promise<void>((begin) => this.#waiting.push({ group, begin }));
    let aged = false;
    const cancel = this.#options.timers.after(YOUNG_MS, () => {
      if (this.#old >= WAITING_AT_ONCE) return;
      aged = true;
      this.#old++;
      this.#leave(group);
    });
    try {
      return await work();
    } finally {
      cancel();
      if (aged) this.#old--;
      else this.#leave(group);
    }
  }

  #enter(group: string): void {
    this.#taken++;
    this.#young.set(group, (this.#young.get(group) ?? 0) + 1);
  }

  #leave(group: string): void {
    this.#taken--;
    const left = (this.#young.get(group) ?? 1) - 1;
    if (left > 0) this.#young.set(group, left);
    else this.#young.delete(group);
    const next = this.#next();
    if (next === undefined) return;
    this.#waiting.splice(this.#waiting.indexOf(next), 1);
    this.#enter(next.group);
    next.begin();
  }

  #next(): Waiting | undefined {
    const has = ({ group }: Waiting): number => this.#young.get(group) ?? 0;
    return this.#waiting.reduce<Waiting | undefined>(
      (best, one) => (best === undefined || has(one) < has(best) ? one : best),
      undefined,
    );
  }
}
