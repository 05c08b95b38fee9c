/** Which generations keep what their files held, and the copies that this takes. */
import { MAX_KEPT_BYTES } from '../../manifest/resolve/copy-room.ts';
import { type Contents, copiesOf, type FileCopy } from '../../model/contents.ts';
import type { ContentStore } from '../../state/content-store.ts';
import type { History } from '../../state/history/history.ts';

type Copies = ReadonlyMap<string, FileCopy>;

/** A generation and the copies that it names. @internal */
export interface Keeping {
  readonly generation: number;
  readonly copies: Copies;
  /** It is the current one, or an app is held at it: it is kept whatever it takes. */
  readonly pinned: boolean;
}

/**
 * The generations that become specifications only: all but the newest, and the oldest of those that take too much together.
 * @param generations newest first
 * @param newest numbers of those that may keep theirs
 * @param inUse copies that containers run with; they have their room first
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
    // Nothing older is kept where a newer one is not.
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

  /** @param keep so many generations keep what their files held, beside those that apps are held at. */
  constructor(history: History, store: ContentStore, keep: number) {
    this.#history = history;
    this.#store = store;
    this.#keep = keep;
  }

  /** Null for a generation that is a specification only. */
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

  /** Keeps the copies that are named, as far as it is known what they hold; they are on the disk when it returns. */
  keepCopies(contents: Contents, known: ReadonlyMap<string, Buffer>): void {
    const copies = [...copiesOf(Object.values(contents)).values()].flatMap((copy) => {
      const bytes = known.get(copy.name);
      return bytes === undefined ? [] : [{ copy, bytes }];
    });
    this.#store.keep(copies);
  }

  /**
   * Inside the change that makes a generation the current one.
   * @param pinned generations that apps are held at
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

  /** Copies that no generation names and nothing runs with. */
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
