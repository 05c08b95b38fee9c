/** How long the event loop stood still at a time, and what ran then: meanwhile nobody got an answer. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock, Timers } from '../model/clock.ts';

/** The loop should turn at least this often; a timer of libuv looks whether it does. */
const RESOLUTION_MS = 20;
/** How often what it saw is taken down, with what ran meanwhile. */
const EVERY_MS = 1_000;
/** What `lately` means. */
export const LATELY_MS = 5 * 60_000;
/** A shorter pause nobody notices. */
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
  /** Jobs that have not ended. */
  readonly running: () => readonly string[];
  /** The longest pause since the last call, in ms. */
  readonly measure?: () => number;
}

/** By a histogram of libuv's own timer, which sees pauses that timers of JavaScript are too coarse for. */
function measured(): () => number {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return () => {
    const ms = histogram.count === 0 ? 0 : Math.max(0, histogram.max / 1e6 - RESOLUTION_MS);
    histogram.reset();
    return ms;
  };
}

export class LoopPauses {
  readonly #parts: LoopPausesParts;
  readonly #measure: () => number;
  #longest = NONE;
  /** Notable ones of the last minutes, one a second at most. */
  #lately: LoopPause[] = [];
  /** Stretches that kept the loop since the last look, and jobs that ended. */
  #stretches: { readonly what: string; readonly ms: number }[] = [];
  readonly #ended = new Set<string>();
  #cancel = (): void => {};

  constructor(parts: LoopPausesParts) {
    this.#parts = parts;
    this.#measure = parts.measure ?? measured();
  }

  start(): void {
    this.#cancel = this.#parts.timers.after(EVERY_MS, () => {
      this.#look();
      this.start();
    });
  }

  stop(): void {
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
    const now = this.#parts.clock.now().wallMs;
    const ms = this.#measure();
    const pause: LoopPause = { ms, atMs: now, during: this.#during(ms) };
    this.#stretches = [];
    this.#ended.clear();
    this.#lately = this.#lately.filter(({ atMs }) => atMs > now - LATELY_MS);
    if (pause.ms > this.#longest.ms) this.#longest = pause;
    if (pause.ms >= NOTABLE_MS) this.#lately.push(pause);
  }

  /** The stretch that took most of it; else everything that was under way. */
  #during(pauseMs: number): readonly string[] {
    const known = this.#stretches.filter(({ ms }) => ms >= pauseMs / 2).map(({ what }) => what);
    const all = known.length > 0 ? known : [...this.#ended, ...this.#parts.running()];
    return [...new Set(all)].slice(0, MOST_NAMED);
  }
}
