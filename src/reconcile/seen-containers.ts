import type { ObservedContainer } from '../model/observed.ts';
import type { ResourceKey } from '../model/resource.ts';
import type { ContainerRecord } from '../state/containers/container-record.ts';
import type { ContainerStore } from '../state/containers/containers.ts';

/**
 * Our containers by key, each looked at when it is asked for: a pass over one key asks for a few of a thousand. What is
 * asked for after something else was awaited may be of a later moment than the rest, so it is for use at once.
 */
export class SeenContainers implements ReadonlyMap<ResourceKey, ObservedContainer> {
  readonly #store: Pick<ContainerStore, 'all' | 'byKey'>;
  readonly #look: (record: ContainerRecord) => ObservedContainer;
  readonly #seen = new Map<ResourceKey, ObservedContainer>();

  constructor(store: Pick<ContainerStore, 'all' | 'byKey'>, look: (record: ContainerRecord) => ObservedContainer) {
    this.#store = store;
    this.#look = look;
  }

  /** All of them, each looked at now. */
  all(): Map<ResourceKey, ObservedContainer> {
    const all = new Map<ResourceKey, ObservedContainer>();
    for (const record of this.#store.all()) {
      const key = record.owner?.key;
      if (key !== undefined && this.#store.byKey(key) === record) all.set(key, this.#look(record));
    }
    return all;
  }

  get size(): number {
    return [...this.keys()].length;
  }

  get(key: ResourceKey): ObservedContainer | undefined {
    const known = this.#seen.get(key);
    if (known) return known;
    const record = this.#store.byKey(key);
    if (!record) return undefined;
    const seen = this.#look(record);
    this.#seen.set(key, seen);
    return seen;
  }

  has(key: ResourceKey): boolean {
    return this.#store.byKey(key) !== undefined;
  }

  *keys(): Generator<ResourceKey, undefined> {
    for (const record of this.#store.all()) {
      const key = record.owner?.key;
      if (key !== undefined && this.#store.byKey(key) === record) yield key;
    }
  }

  *entries(): Generator<[ResourceKey, ObservedContainer], undefined> {
    for (const key of this.keys()) {
      const seen = this.get(key);
      if (seen) yield [key, seen];
    }
  }

  *values(): Generator<ObservedContainer, undefined> {
    for (const [, seen] of this.entries()) yield seen;
  }

  [Symbol.iterator](): Generator<[ResourceKey, ObservedContainer], undefined> {
    return this.entries();
  }

  forEach(
    visit: (seen: ObservedContainer, key: ResourceKey, map: ReadonlyMap<ResourceKey, ObservedContainer>) => void,
  ): void {
    for (const [key, seen] of this.entries()) visit(seen, key, this);
  }
}
