/**
 * A moment as both clocks saw it. `wallMs` is Unix time in milliseconds and is what records show to people;
 * `bootMs` is CLOCK_BOOTTIME in milliseconds and is what delays are measured with, because it never jumps.
 */
export interface Instant {
  readonly wallMs: number;
  readonly bootMs: number;
}

/** The only source of time for code with effects. Pure code receives an {@link Instant} as `now`. */
export interface Clock {
  now(): Instant;
}

/** RFC 3339 UTC with millisecond precision, trailing zeros kept: `2026-01-02T03:04:05.678Z`. */
export function formatTime(wallMs: number): string {
  return new Date(wallMs).toISOString();
}

/** The only source of delays for code with effects, so that tests need not wait. */
export interface Timers {
  /** Calls `task` once, `ms` from now or later. Returns a function that cancels it; further calls do nothing. */
  after(ms: number, task: () => void): () => void;
}

/** Resolves with `work`, or with `late` once `ms` passed; the timer does not outlive the result. */
export async function within<T, L>(timers: Timers, ms: number, work: Promise<T>, late: L): Promise<T | L> {
  let cancel = () => {};
  const expired = new Promise<L>((resolve) => {
    cancel = timers.after(ms, () => resolve(late));
  });
  return Promise.race([work, expired]).finally(cancel);
}
