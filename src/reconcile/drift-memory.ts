import type { ResourceKey } from '../model/resource.ts';

/**
 * What the last look at the kernel found missing of resources whose drift is only reported: smaller looks, which do not
 * ask the kernel, go on reporting it.
 */
export class DriftMemory {
  readonly #missing = new Map<ResourceKey, readonly string[]>();

  record(key: ResourceKey, missing: readonly string[]): void {
    if (missing.length === 0) this.#missing.delete(key);
    else this.#missing.set(key, missing);
  }

  of(key: ResourceKey): readonly string[] {
    return this.#missing.get(key) ?? [];
  }
}
