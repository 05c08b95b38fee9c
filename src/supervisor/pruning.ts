import { isTroubleOfTheDisk } from '../state/databases/database.ts';
import type { History } from '../state/history/history.ts';

/** Entries of journal and timeline between two prunings of history.db. */
const PRUNE_EVERY = 5_000;
/** The first one comes sooner: supervisors may end before they have written that many. */
const FIRST_AFTER = 100;

/** Keeps history.db bounded: prunes after every so many writes. */
export class Pruning {
  readonly #history: History;
  #left = FIRST_AFTER;

  constructor(history: History) {
    this.#history = history;
  }

  /** Counts a written entry; may prune. */
  wrote(): void {
    this.#left -= 1;
    if (this.#left > 0) return;
    this.#left = PRUNE_EVERY;
    try {
      this.#history.prune();
    } catch (error) {
      if (!isTroubleOfTheDisk(error)) throw error;
      this.#left = FIRST_AFTER;
    }
  }
}
