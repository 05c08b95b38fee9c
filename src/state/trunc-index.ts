import { TsdError } from '../model/errors/errors.ts';

/** Ids that can be named by any unique beginning. */
export class TruncIndex {
  readonly #sorted: string[] = [];

  /** Adding an existing id is a no-op. */
  add(id: string): void {
    const at = this.#position(id);
    if (this.#sorted[at] !== id) this.#sorted.splice(at, 0, id);
  }

  delete(id: string): void {
    const at = this.#position(id);
    if (this.#sorted[at] === id) this.#sorted.splice(at, 1);
  }

  /** The one id that begins with `prefix`. @throws TsdError TSD_NO_SUCH_RESOURCE, TSD_BAD_REQUEST for an empty prefix. */
  get(prefix: string): string {
    if (prefix === '') throw new TsdError('TSD_BAD_REQUEST', "prefix can't be empty");
    const at = this.#position(prefix);
    const [id, next] = this.#sorted.slice(at, at + 2);
    if (id === undefined || !id.startsWith(prefix)) throw new TsdError('TSD_NO_SUCH_RESOURCE', `no such id: ${prefix}`);
    if (id !== prefix && next?.startsWith(prefix)) {
      throw new TsdError('TSD_NO_SUCH_RESOURCE', `no such id: ${prefix}`, {
        hint: 'Several ids begin like this; give more digits.',
      });
    }
    return id;
  }

  /** Index of the first id that is not below `text`. */
  #position(text: string): number {
    let low = 0;
    let high = this.#sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#sorted[middle] as string) < text) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
