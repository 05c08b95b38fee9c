/** Long work in small steps, between which the event loop has its turn. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Longest stretch without a turn of the loop, plus one step. */
const SLICE_MS = 5;

/** One stretch after the other. */
export class Slices {
  #ends = performance.now() + SLICE_MS;

  /** Lets others continue where a stretch has been long enough. */
  async pause(): Promise<void> {
    if (performance.now() < this.#ends) return;
    await nextTurn();
    this.#ends = performance.now() + SLICE_MS;
  }
}

/** What the steps return. They are ended, so that they close what they have open, when the signal aborts. @throws its reason, and what a step throws. */
export async function inSlices<T>(steps: Generator<unknown, T>, signal?: AbortSignal): Promise<T> {
  const slices = new Slices();
  try {
    for (;;) {
      const step = steps.next();
      if (step.done) return step.value;
      await slices.pause();
      signal?.throwIfAborted();
    }
  } finally {
    steps.return(undefined as never);
  }
}

/** What the steps yield, without those that yield nothing (null). @throws the signal's reason when it aborts, and what a step throws. */
export async function* itemsInSlices<T>(steps: Generator<T | null, unknown>, signal?: AbortSignal): AsyncGenerator<T> {
  const slices = new Slices();
  try {
    for (const step of steps) {
      await slices.pause();
      signal?.throwIfAborted();
      if (step !== null) yield step;
    }
  } finally {
    steps.return(undefined as never);
  }
}
