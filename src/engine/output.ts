/** Where a job writes: text to any number of readers, without pipes. Remembers its last line. */
export class Output {
  readonly #sinks: ((text: string) => void)[] = [];
  /** From the start of the last line that has content. */
  #tail = '';
  #closed = false;

  /** `sink` receives all that is written from now on. */
  add(sink: (text: string) => void): void {
    this.#sinks.push(sink);
  }

  /** Every sink gets the text; the first failure among them is thrown after that. */
  write(text: string): void {
    if (this.#closed) throw new Error('the output is closed');
    this.#remember(text);
    const failures: unknown[] = [];
    for (const sink of this.#sinks) {
      try {
        sink(text);
      } catch (failure) {
        failures.push(failure);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  /** The last line that is not empty; empty when nothing was written. */
  get lastLine(): string {
    return this.#tail.trim();
  }

  close(): void {
    this.#closed = true;
    this.#sinks.length = 0;
  }

  #remember(text: string): void {
    const all = this.#tail + text;
    this.#tail = all.slice(all.trimEnd().lastIndexOf('\n') + 1);
  }
}
