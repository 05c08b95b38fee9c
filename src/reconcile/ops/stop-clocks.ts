import type { Clock } from '../../model/clock.ts';

/** How long runs that were asked to end have for it, by container; a person may change that while they take it. */
export class StopClocks {
  readonly #clock: Clock;
  readonly #running = new Map<string, (timeoutMs: number) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves true when `ended` did within the time. */
  within(containerId: string, timeoutMs: number, ended: Promise<void>): Promise<boolean> {
    const begunAt = this.#clock.now().bootMs;
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const finish = (inTime: boolean): void => {
        clearTimeout(timer);
        if (this.#running.get(containerId) === set) this.#running.delete(containerId);
        resolve(inTime);
      };
      const set = (totalMs: number): void => {
        clearTimeout(timer);
        const left = Math.max(0, totalMs - (this.#clock.now().bootMs - begunAt));
        timer = setTimeout(() => finish(false), left);
      };
      this.#running.set(containerId, set);
      set(timeoutMs);
      void ended.then(() => finish(true));
    });
  }

  /** Counted from when the run was asked to end; nothing when none is being ended. */
  change(containerId: string, timeoutMs: number): void {
    this.#running.get(containerId)?.(timeoutMs);
  }
}
