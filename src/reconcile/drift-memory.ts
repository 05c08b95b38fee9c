import type { ResourceKey } from '../model/resource.ts';

/** What a network lacks that no driver knows: it could not be set up so far. */
export const NOT_SET_UP: readonly string[] = ['set-up'];

/**
 * What the last look at the kernel found missing of resources: smaller looks, which do not ask the kernel, know of it until
 * it was repaired. Otherwise what cannot be repaired would look well from one look at everything to the next.
 */
export class DriftMemory {
  readonly #missing = new Map<ResourceKey, readonly string[]>();

  record(key: ResourceKey, missing: readonly string[]): void {
    if (missing.length === 0) this.#missing.delete(key);
    else this.#missing.set(key, missing);
  }

  repaired(key: ResourceKey): void {
    this.#missing.delete(key);
  }

  of(key: ResourceKey): readonly string[] {
    return this.#missing.get(key) ?? [];
  }
}

/**
 * What a resource lacks now, or lacked at the last look at the kernel and has not been repaired since.
 * @param kernel null where this look does not ask the kernel
 */
export function missingOf(
  drifts: Pick<DriftMemory, 'of' | 'record'>,
  key: ResourceKey,
  kernel: unknown,
  missing: () => readonly string[],
): readonly string[] {
  if (kernel === null) return drifts.of(key);
  const found = missing();
  drifts.record(key, found);
  return found;
}
