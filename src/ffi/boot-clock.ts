import type { Clock } from '../model/clock.ts';
import { syscall } from './native.ts';

/** include/uapi/linux/time.h; goes on while the host sleeps. */
const CLOCK_BOOTTIME = 7;

const timespec = Buffer.alloc(64);

/** Milliseconds since boot, sleep included. */
function bootMs(): number {
  syscall('read the boot clock', 'clock_gettime', CLOCK_BOOTTIME, timespec);
  return Number(timespec.readBigInt64LE(0)) * 1000 + Number(timespec.readBigInt64LE(8)) / 1e6;
}

/** The host's clocks. */
export const systemClock: Clock = {
  now: () => ({ wallMs: Date.now(), bootMs: bootMs() }),
};
