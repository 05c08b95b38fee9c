import type { Clock } from '../model/clock.ts';
import { syscall } from './call/native.ts';

/** include/uapi/linux/time.h; continues while the host sleeps. */
const CLOCK_BOOTTIME = 7;
/** How often the kernel is asked: a call takes 10 µs, and a start looks at the clock some forty times. */
const ASKED_AGAIN_AFTER_MS = 10;

const timespec = Buffer.alloc(64);

function askKernel(): number {
  syscall('read the boot clock', 'clock_gettime', CLOCK_BOOTTIME, timespec);
  return Number(timespec.readBigInt64LE(0)) * 1000 + Number(timespec.readBigInt64LE(8)) / 1e6;
}

/**
 * How far the boot clock is ahead of this process's monotonic clock, at least: the longest distance that was found. It grows
 * when the host sleeps, during which the monotonic clock stands still, and never shrinks.
 */
let ahead = Number.NEGATIVE_INFINITY;
let askedAt = Number.NEGATIVE_INFINITY;

/** Milliseconds since boot, sleep included; a sleep that ended less than {@link ASKED_AGAIN_AFTER_MS} ago may not count yet. */
function bootMs(): number {
  if (performance.now() - askedAt > ASKED_AGAIN_AFTER_MS) {
    const found = askKernel();
    askedAt = performance.now();
    ahead = Math.max(ahead, found - askedAt);
  }
  return performance.now() + ahead;
}

/** The host's clocks. */
export const systemClock: Clock = {
  now: () => ({ wallMs: Date.now(), bootMs: bootMs() }),
};
