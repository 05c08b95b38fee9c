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
