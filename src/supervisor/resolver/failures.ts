/** What failed for which container, and when it is tried again: the longer it fails, the more seldom. */

interface Failure {
  text: string;
  times: number;
  /** Looks that pass by before the next try. */
  pause: number;
}

/** Looks, which are two seconds apart. */
const LONGEST_PAUSE = 30;

export class Failures {
  readonly #failures = new Map<string, Failure>();

  /** @returns whether it is news */
  failed(id: string, text: string): boolean {
    const before = this.#failures.get(id);
    const times = (before?.times ?? 0) + 1;
    this.#failures.set(id, { text, times, pause: Math.min(2 ** (times - 1) - 1, LONGEST_PAUSE) });
    return before?.text !== text;
  }

  ended(id: string): void {
    this.#failures.delete(id);
  }

  textOf(id: string): string | null {
    return this.#failures.get(id)?.text ?? null;
  }

  /** A look: those of the wanted that are to be tried again, `most` of them; others are at the next one. */
  due(most: number, isWanted: (id: string) => boolean): readonly string[] {
    const due: string[] = [];
    for (const [id, failure] of this.#failures) {
      if (failure.pause > 0) failure.pause--;
      else if (due.length < most && isWanted(id)) due.push(id);
    }
    return due;
  }
}
