/** For work on the same thing that must not mix: each waits until the one before it has ended, well or not. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  async take(id: string, work: () => Promise<void>): Promise<void> {
    // At once where it can be: an op begins in the moment in which it was asked whether it still makes sense.
    const turn = this.#last.get(id)?.then(work) ?? work();
    const ended = turn.catch(() => {});
    this.#last.set(id, ended);
    try {
      await turn;
    } finally {
      if (this.#last.get(id) === ended) this.#last.delete(id);
    }
  }
}
