import { readdirSync, statSync } from 'node:fs';

/**
 * A directory that changed so shortly before it was read may change again with the same time: filesystems count in steps of
 * up to 1 s (ext4 with small inodes).
 */
const SETTLED_AFTER_MS = 2_000;

interface Listing {
  /** The result of stat(2) for the directory. Those of cgroups keep their times, but count what is in them as links. */
  readonly stamp: string;
  readonly names: readonly string[];
}

/** The names in a directory, read again only when the directory changed: a stat takes the kernel 1 µs, reading 1 µs a name. */
export class ListedDirectory {
  readonly #path: string;
  readonly #select: (name: string) => boolean;
  #last: Listing | null = null;

  /** @param select the names that count */
  constructor(path: string, select: (name: string) => boolean) {
    this.#path = path;
    this.#select = select;
  }

  /** None where there is no directory; the same array while nothing changed. */
  names(): readonly string[] {
    const found = statSync(this.#path, { bigint: true, throwIfNoEntry: false });
    if (found === undefined) return this.#keep({ stamp: '', names: [] });
    const stamp = [found.dev, found.ino, found.nlink, found.mtimeNs, found.ctimeNs].join();
    if (this.#last?.stamp === stamp) return this.#last.names;
    const isSettled = Number(found.mtimeMs) < Date.now() - SETTLED_AFTER_MS;
    const names = readdirSync(this.#path).filter(this.#select);
    return this.#keep({ stamp: isSettled ? stamp : 'changes yet', names });
  }

  /** Reads it the next time: something was changed in it that a stat may not show. */
  forget(): void {
    if (this.#last) this.#last = { ...this.#last, stamp: 'forgotten' };
  }

  #keep(listing: Listing): readonly string[] {
    const before = this.#last?.names ?? [];
    const isSame = before.length === listing.names.length && before.every((name, at) => name === listing.names[at]);
    this.#last = { ...listing, names: isSame ? before : listing.names };
    return this.#last.names;
  }
}

/** The union of several lists, rebuilt only when one of them changed. */
export class UnionOfLists {
  #last: { readonly lists: readonly (readonly string[])[]; readonly all: readonly string[] } | null = null;

  of(...lists: readonly (readonly string[])[]): readonly string[] {
    const last = this.#last;
    if (last?.lists.length === lists.length && last.lists.every((list, at) => list === lists[at])) return last.all;
    this.#last = { lists, all: [...new Set(lists.flat())] };
    return this.#last.all;
  }
}
