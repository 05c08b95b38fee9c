import type { Timers } from '../model/clock.ts';

/** Longest delay that setTimeout keeps; longer ones fire at once (Node documentation, timers). */
const LONGEST_MS = 2 ** 31 - 1;

/** Node's timers. They keep the process alive until they fire or are cancelled. */
export const systemTimers: Timers = {
  after(ms, task) {
    const timer = setTimeout(task, Math.min(Math.max(0, ms), LONGEST_MS));
    return () => clearTimeout(timer);
  },
};
