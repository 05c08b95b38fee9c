import type { Clock } from '../../../model/clock.ts';

export interface StopTime {
  readonly containerId: string;
  readonly timeoutMs: number;
  /** When the run was asked to end, on the boot clock. */
  readonly since: number;
  /** Ends the waiting. */
  readonly cancelled: AbortSignal;
  /** A person changed the time; receives what is left of it. */
  readonly onChange: (leftMs: number) => void;
}

/** How long runs that were asked to end have for it, by container; a person may change that while they take it. */
export class StopClocks {
  readonly #clock: Clock;
  readonly #running = new Map<string, (timeoutMs: number) => void>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves true when the end came within the time. @param ended resolves with the end, or when the waiter has gone */
  within(
    { containerId, timeoutMs, since, cancelled, onChange }: StopTime,
    ended: (done: AbortSignal) => Promise<void>,
  ): Promise<boolean> {
    const done = new AbortController();
    return new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const finish = (inTime: boolean): void => {
        clearTimeout(timer);
        cancelled.removeEventListener('abort', giveUp);
        if (this.#running.get(containerId) === set) this.#running.delete(containerId);
        resolve(inTime);
        done.abort();
      };
      const giveUp = (): void => finish(false);
      const wait = (totalMs: number): number => {
        clearTimeout(timer);
        const left = Math.max(0, totalMs - (this.#clock.now().bootMs - since));
        timer = setTimeout(giveUp, left);
        return left;
      };
      const set = (totalMs: number): void => onChange(wait(totalMs));
      this.#running.set(containerId, set);
      wait(timeoutMs);
      void ended(done.signal).then(() => finish(true));
      if (cancelled.aborted) giveUp();
      else cancelled.addEventListener('abort', giveUp, { once: true });
    });
  }

  /** Counted from when the run was asked to end; nothing when none is being ended. */
  change(containerId: string, timeoutMs: number): void {
    this.#running.get(containerId)?.(timeoutMs);
  }
}
