/** Measures pauses of the event loop, and what ran in them: meanwhile no request is answered. */
import type { Clock, Timers } from '../model/clock.ts';

/** How often a timer looks whether it is late. */
const EVERY_MS = 50;
/** What `lately` means. */
export const LATELY_MS = 5 * 60_000;
/** Shorter pauses are not recorded. */
const NOTABLE_MS = 100;
/** How long a job that ended counts as one that may have kept the loop. */
const FORGOTTEN_MS = 1_000;
const MOST_NAMED = 4;

export interface LoopPause {
  readonly ms: number;
  readonly atMs: number;
  /** What kept the loop, or what was under way then; empty where nothing is known. */
  readonly during: readonly string[];
}

export interface LoopPausesView {
  readonly longest: LoopPause;
  /** The longest of the last minutes. */
  readonly lately: LoopPause;
}

const NONE: LoopPause = { ms: 0, atMs: 0, during: [] };

export interface LoopPausesParts {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Jobs that have not ended. */
  readonly running: () => readonly string[];
}

export class LoopPauses {
  readonly #parts: LoopPausesParts;
  #longest = NONE;
  /** Notable ones of the last minutes. */
  #lately: LoopPause[] = [];
  /** Stretches that kept the loop, and jobs that ended, a short while ago. */
  #stretches: { readonly what: string; readonly ms: number }[] = [];
  readonly #ended = new Set<string>();
  #forgetAtMs = 0;
  /** When the timer should fire; null while none runs. */
  #dueMs: number | null = null;
  #cancel = (): void => {};

  constructor(parts: LoopPausesParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#dueMs = this.#parts.clock.now().bootMs + EVERY_MS;
    this.#cancel = this.#parts.timers.after(EVERY_MS, () => {
      this.#look();
      this.start();
    });
  }

  stop(): void {
    this.#dueMs = null;
    this.#cancel();
  }

  /** A stretch without a turn of the loop has ended. */
  kept(what: string, ms: number): void {
    if (ms >= NOTABLE_MS / 2) this.#stretches.push({ what, ms });
  }

  /** A job has ended. */
  ended(job: string): void {
    if (this.#ended.size < MOST_NAMED) this.#ended.add(job);
  }

  view(): LoopPausesView {
    this.#look();
    const lately = this.#lately.reduce((most, pause) => (pause.ms > most.ms ? pause : most), NONE);
    return { longest: this.#longest, lately };
  }

  #look(): void {
    const { wallMs, bootMs } = this.#parts.clock.now();
    const ms = this.#dueMs === null ? 0 : Math.max(0, bootMs - this.#dueMs);
    this.#lately = this.#lately.filter(({ atMs }) => atMs > wallMs - LATELY_MS);
    if (ms > this.#longest.ms || ms >= NOTABLE_MS) {
      const pause = { ms, atMs: wallMs, during: this.#during(ms) };
      if (ms > this.#longest.ms) this.#longest = pause;
      if (ms >= NOTABLE_MS) this.#lately.push(pause);
    }
    if (bootMs < this.#forgetAtMs) return;
    this.#forgetAtMs = bootMs + FORGOTTEN_MS;
    this.#stretches = [];
    this.#ended.clear();
  }

  /** The stretch that took most of it; else everything that was under way. */
  #during(pauseMs: number): readonly string[] {
    const known = this.#stretches.filter(({ ms }) => ms >= pauseMs / 2).map(({ what }) => what);
    const all = known.length > 0 ? known : [...this.#ended, ...this.#parts.running()];
    return [...new Set(all)].slice(0, MOST_NAMED);
  }
}
