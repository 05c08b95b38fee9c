import type { Timers } from '../../model/clock.ts';

export interface ProbeSlotsOptions {
  readonly timers: Timers;
  /** Slots for young tries. */
  readonly atOnce: number;
}

/** An older try only waits and costs nothing: it gives up its slot. */
const YOUNG_MS = 1_000;
/** Maximum number of older tries. */
const WAITING_AT_ONCE = 512;

interface Waiting {
  readonly group: string;
  readonly begin: () => void;
}

/**
 * Limits the probe tries that run at the same time. The next slot goes to the group with the fewest tries, so that a hanging
 * app does not delay the probes of others.
 */
export class ProbeSlots {
  readonly #options: ProbeSlotsOptions;
  /** Queued tries, in order of arrival. */
  readonly #waiting: Waiting[] = [];
  readonly #young = new Map<string, number>();
  #taken = 0;
  #old = 0;

  constructor(options: ProbeSlotsOptions) {
    this.#options = options;
  }

  /** Runs `work` in a slot. Rejects as `work` does. @param group the app of the probe */
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
