/** Directories that an archive replaces or deletes: deleting them where they stand would take as long as they are large. */
import { mkdtempSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { removeTree } from '../../ffi/files/remove-tree.ts';

/** No entry of an archive gets such a name: it is bookkeeping of aufs, which has no place in a layer. */
const PREFIX = '.wh..wh.';

export class SetAside {
  readonly #root: string;
  #place: string | null = null;
  #count = 0;

  /** @param root of the layer. */
  constructor(root: string) {
    this.#root = root;
  }

  /** Whether a name in the root is ours. */
  isPlace(name: string): boolean {
    return this.#place !== null && basename(this.#place) === name;
  }

  /** Takes a directory out of its place at once. */
  take(path: Buffer): void {
    this.#place ??= mkdtempSync(join(this.#root, PREFIX));
    renameSync(path, join(this.#place, String(this.#count++)));
  }

  /** Deletes all that was taken. */
  async delete(): Promise<void> {
    if (this.#place !== null) await removeTree(this.#place);
    this.#place = null;
  }
}
