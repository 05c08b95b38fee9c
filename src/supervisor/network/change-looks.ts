/** Full passes soon after the kernel reported a change of networks or rules, without one for each change. Pure but for its timers. */
import type { Clock, Timers } from '../../model/clock.ts';

/** Several changes of one cause are seen by one pass. */
const SETTLE_MS = 200;
/** A container or another program that changes things all the time costs no more than so many passes. */
const GAP_MS = 2_000;

export interface ChangeLooksPorts {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Asks for a full pass. */
  readonly look: () => void;
}

export class ChangeLooks {
  readonly #ports: ChangeLooksPorts;
  #lastMs = Number.NEGATIVE_INFINITY;
  #isDue = false;
  #stopped = false;
  #cancel = (): void => {};

  constructor(ports: ChangeLooksPorts) {
    this.#ports = ports;
  }

  /** Something changed. */
  changed(): void {
    if (this.#isDue || this.#stopped) return;
    this.#isDue = true;
    const { clock, timers, look } = this.#ports;
    const wait = Math.max(SETTLE_MS, this.#lastMs + GAP_MS - clock.now().bootMs);
    this.#cancel = timers.after(wait, () => {
      this.#isDue = false;
      this.#lastMs = clock.now().bootMs;
      look();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }
}
