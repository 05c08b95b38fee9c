/** How links of one supervisor are known as its own. */

/** Link groups are numbers: the top byte says tsdocker, the rest is the instance. */
const GROUP_TAG = 0x74_00_00_00;

export class Marks {
  readonly #instance: string;

  /** @param instance six hex digits */
  constructor(instance: string) {
    this.#instance = instance;
  }

  /** Set when a link is made, in the same call, so that even a half-made one is known as ours. */
  get group(): number {
    return GROUP_TAG + Number.parseInt(this.#instance, 16);
  }

  /** Alias of an interface. */
  mark(kind: string, id: string): string {
    return `tsd:${this.#instance}:${kind}:${id}`;
  }

  /** The id in a mark of ours, or null. */
  idOf(kind: string, mark: string | null): string | null {
    const prefix = this.mark(kind, '');
    return mark?.startsWith(prefix) === true ? mark.slice(prefix.length) : null;
  }
}
