/**
 * Measures pauses of the event loop, and what ran in them: meanwhile no request is answered. The length of each turn is
 * known when it is over. What keeps the process from a turn, as one that computes beside it, is seen by a timer that is late;
 * an idle supervisor is woken by that alone.
 */
import type { LoopTurns } from '../engine/loop-turns.ts';
import type { Clock, Timers } from '../model/clock.ts';

/** How often a timer looks whether it is late. */
const EVERY_MS = 2_000;
/** What `lately` means. */
export const LATELY_MS = 5 * 60_000;
/** Shorter pauses are not recorded. */
const NOTABLE_MS = 100;
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
  readonly turns: LoopTurns;
  /** Jobs that have not ended. */
  readonly running: () => readonly string[];
}

export class LoopPauses {
  readonly #parts: LoopPausesParts;
  #longest = NONE;
  /** Notable ones of the last minutes. */
  #lately: LoopPause[] = [];
  /** Stretches that kept the loop, and jobs that ended, in this turn. */
  #stretches: { readonly what: string; readonly ms: number }[] = [];
  readonly #ended = new Set<string>();
  /** When the timer should fire; null while none runs. */
  #dueMs: number | null = null;
  #cancelTimer = (): void => {};
  /** Where this turn began, as of the busy time; null while turns are not followed. */
  #turnMs: number | null = null;
  #cancelTurns = (): void => {};

  constructor(parts: LoopPausesParts) {
    this.#parts = parts;
  }

  start(): void {
    const { turns } = this.#parts;
    this.#turnMs = turns.busyMs();
    this.#cancelTurns = turns.each(() => this.#turned());
    this.#await();
  }

  stop(): void {
    this.#dueMs = null;
    this.#cancelTimer();
    this.#turnMs = null;
    this.#cancelTurns();
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

  #await(): void {
    this.#dueMs = this.#parts.clock.now().bootMs + EVERY_MS;
    this.#cancelTimer = this.#parts.timers.after(EVERY_MS, () => {
      this.#look();
      this.#await();
    });
  }

  #turned(): void {
    const busyMs = this.#parts.turns.busyMs();
    if (this.#turnMs !== null) this.#note(busyMs - this.#turnMs);
    this.#turnMs = busyMs;
    this.#stretches = [];
    this.#ended.clear();
  }

  /** What is known before the turn is over. */
  #look(): void {
    const { wallMs, bootMs } = this.#parts.clock.now();
    this.#lately = this.#lately.filter(({ atMs }) => atMs > wallMs - LATELY_MS);
    if (this.#dueMs !== null) this.#note(bootMs - this.#dueMs);
    if (this.#turnMs !== null) this.#note(this.#parts.turns.busyMs() - this.#turnMs);
  }

  #note(ms: number): void {
    if (ms <= this.#longest.ms && ms < NOTABLE_MS) return;
    const pause = { ms, atMs: this.#parts.clock.now().wallMs, during: this.#during(ms) };
    if (ms > this.#longest.ms) this.#longest = pause;
    if (ms >= NOTABLE_MS) this.#lately.push(pause);
  }

  /** The stretch that took most of it; else everything that was under way. */
  #during(pauseMs: number): readonly string[] {
    const known = this.#stretches.filter(({ ms }) => ms >= pauseMs / 2).map(({ what }) => what);
    const all = known.length > 0 ? known : [...this.#ended, ...this.#parts.running()];
    return [...new Set(all)].slice(0, MOST_NAMED);
  }
}
