/** Decides which generations keep their file contents, and owns the copies that hold them. */
import { MAX_KEPT_BYTES } from '../../manifest/resolve/copy-room.ts';
import { type Contents, copiesOf, type FileCopy } from '../../model/contents.ts';
import type { ContentStore } from '../../state/content-store.ts';
import type { History } from '../../state/history/history.ts';

type Copies = ReadonlyMap<string, FileCopy>;

/** A generation and the copies that it names. @internal */
export interface Keeping {
  readonly generation: number;
  readonly copies: Copies;
  /** True for the current generation and for one that an app is pinned to: it is kept regardless of its size. */
  readonly pinned: boolean;
}

/**
 * Returns the generations that lose their file contents: all but the newest, and the oldest of those beyond the budget.
 * @param generations newest first
 * @param newest numbers of the generations that may keep their contents
 * @param inUse copies that containers run with; they use the budget first
 * @internal
 */
export function tooMuch(
  generations: readonly Keeping[],
  newest: ReadonlySet<number>,
  inUse: Copies,
  maxBytes = MAX_KEPT_BYTES,
): number[] {
  const names = new Set(inUse.keys());
  let bytes = [...inUse.values()].reduce((sum, copy) => sum + copy.bytes, 0);
  const add = (copies: Copies): void => {
    for (const { name, bytes: size } of copies.values()) {
      if (!names.has(name)) bytes += size;
      names.add(name);
    }
  };
  for (const { copies, pinned } of generations) if (pinned) add(copies);
  const dropped: number[] = [];
  for (const { generation, copies, pinned } of generations) {
    if (pinned) continue;
    const more = [...copies.values()].filter(({ name }) => !names.has(name)).reduce((sum, one) => sum + one.bytes, 0);
    // A generation older than one that is dropped is dropped too.
    if (newest.has(generation) && dropped.length === 0 && bytes + more <= maxBytes) add(copies);
    else dropped.push(generation);
  }
  return dropped;
}

export class KeptContents {
  readonly #history: History;
  readonly #store: ContentStore;
  readonly #keep: number;
  /** By generation. */
  readonly #copies = new Map<number, Copies>();

  /** @param keep number of generations that keep their file contents, in addition to those that apps are pinned to */
  constructor(history: History, store: ContentStore, keep: number) {
    this.#history = history;
    this.#store = store;
    this.#keep = keep;
  }

  /** Returns the contents; null for a generation without stored contents. */
  of(generation: number): Contents | null {
    return this.#history.contents.of(generation);
  }

  /** @throws TsdError TSD_CONTENT_MISSING */
  readCopy(name: string): Buffer {
    return this.#store.read(name);
  }

  isThere(name: string): boolean {
    return this.#store.list().some((copy) => copy.name === name);
  }

  /** Stores the named copies whose contents are known; durable when it returns. */
  keepCopies(contents: Contents, known: ReadonlyMap<string, Buffer>): void {
    const copies = [...copiesOf(Object.values(contents)).values()].flatMap((copy) => {
      const bytes = known.get(copy.name);
      return bytes === undefined ? [] : [{ copy, bytes }];
    });
    this.#store.keep(copies);
  }

  /**
   * Call it inside the transaction that makes a generation the current one.
   * @param pinned generations that apps are pinned to
   * @param inUse names of copies that containers run with
   */
  save(generation: number, contents: Contents, pinned: readonly number[], inUse: ReadonlySet<string>): void {
    this.#history.contents.set(generation, contents);
    this.#copies.set(generation, copiesOf(Object.values(contents)));
    const kept = this.#history.contents.kept();
    const keeping = kept.map((n) => ({
      generation: n,
      copies: this.#copiesOf(n),
      pinned: n === generation || pinned.includes(n),
    }));
    const newest = new Set(this.#history.generations.list(this.#keep).map(({ n }) => n));
    const used = this.#store.list().filter(({ name }) => inUse.has(name));
    this.#history.contents.drop(tooMuch(keeping, newest, new Map(used.map((copy) => [copy.name, copy]))));
  }

  /** Returns the copies that no generation names and no container uses. */
  unused(inUse: ReadonlySet<string>): readonly FileCopy[] {
    const kept = this.#history.contents.kept().map((n) => this.#copiesOf(n));
    return this.#store.list().filter(({ name }) => !inUse.has(name) && !kept.some((copies) => copies.has(name)));
  }

  all(): readonly FileCopy[] {
    return this.#store.list();
  }

  remove(copies: readonly FileCopy[]): void {
    for (const { name } of copies) this.#store.remove(name);
  }

  #copiesOf(generation: number): Copies {
    const known = this.#copies.get(generation) ?? copiesOf(Object.values(this.of(generation) ?? {}));
    this.#copies.set(generation, known);
    return known;
  }
}
