import { copiesOf, type FileCopy, type SourceContents } from '../../model/contents.ts';

/**
 * What all pinned files of one state may take together: half of {@link MAX_KEPT_BYTES}, so that what runs and what takes
 * its place fit beside each other.
 */
const MAX_PINNED_BYTES = 32 * 1024 ** 2;
/** What the copies of all generations that are kept may take. */
export const MAX_KEPT_BYTES = 2 * MAX_PINNED_BYTES;

/** Copies of one state, as far as there is room for them: a file beyond that is used as it is. */
export class CopyRoom {
  /** What was copied, by name. */
  readonly taken = new Map<string, Buffer>();
  readonly #names: Set<string>;
  #bytes: number;

  /** @param pinned copies that are there, and have their room. */
  constructor(pinned: Iterable<SourceContents>) {
    const copies = copiesOf(pinned);
    this.#names = new Set(copies.keys());
    this.#bytes = [...copies.values()].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  take({ name, bytes: size }: FileCopy, bytes: Buffer): boolean {
    if (!this.#names.has(name)) {
      if (this.#bytes + size > MAX_PINNED_BYTES) return false;
      this.#names.add(name);
      this.#bytes += size;
    }
    this.taken.set(name, bytes);
    return true;
  }
}
