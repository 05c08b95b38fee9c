/** What may be thrown away. Pure: it names, others remove. */
import type { Instant } from '../model/clock.ts';

interface GcImage {
  readonly id: string;
  /** Graph driver keys that the image needs; those below them need not be listed. */
  readonly layers: readonly string[];
  /** `repository:tag`. */
  readonly names: readonly string[];
}

interface GcLayer {
  readonly id: string;
  readonly parent: string | null;
  readonly type: 'layer' | 'snapshot';
}

export interface GcInput {
  readonly images: readonly GcImage[];
  readonly layers: readonly GcLayer[];
  /** Images that containers, declarations or kept generations need. */
  readonly neededImages: ReadonlySet<string>;
  /** Layers that something else than an image needs. */
  readonly neededLayers: ReadonlySet<string>;
  /** Images that have a name go too, unless they are needed. */
  readonly includeNamed: boolean;
}

export interface Garbage {
  readonly images: readonly string[];
  /** Children before their parents, as they can be removed. */
  readonly layers: readonly string[];
}

/** What was found to be garbage, with the names that its images had then. */
export interface Listing {
  readonly images: readonly { readonly id: string; readonly tags: readonly string[] }[];
  readonly layers: readonly { readonly id: string }[];
}

/** The same, limited to what is `listed`. An image that was tagged since stays too. */
export function limitedTo(input: GcInput, listed: Listing): GcInput {
  const tags = new Map(listed.images.map((image) => [image.id, image.tags]));
  const layers = new Set(listed.layers.map(({ id }) => id));
  const kept = input.images.filter(({ id, names }) => {
    const seen = tags.get(id);
    return seen === undefined || names.some((name) => !seen.includes(name));
  });
  return {
    ...input,
    neededImages: new Set([...input.neededImages, ...kept.map(({ id }) => id)]),
    neededLayers: new Set([
      ...input.neededLayers,
      ...input.layers.filter(({ id }) => !layers.has(id)).map(({ id }) => id),
    ]),
  };
}

/** Returns the unused images, and the layers of no remaining image. Snapshots are never removed and keep their layers. */
export function findGarbage({ images, layers, neededImages, neededLayers, includeNamed }: GcInput): Garbage {
  const kept = images.filter(({ id, names }) => neededImages.has(id) || (names.length > 0 && !includeNamed));
  const keptIds = new Set(kept.map(({ id }) => id));
  const parents = new Map(layers.map(({ id, parent }) => [id, parent]));
  const used = new Set<string>();
  const roots = [
    ...kept.flatMap((image) => [image.id, ...image.layers]),
    ...neededLayers,
    ...layers.filter(({ type }) => type === 'snapshot').map(({ id }) => id),
  ];
  for (const root of roots) {
    for (let id: string | null = root; id !== null && !used.has(id); id = parents.get(id) ?? null) used.add(id);
  }
  const unused = layers.filter(({ id, type }) => type === 'layer' && !used.has(id)).map(({ id }) => id);
  const depth = (id: string): number => {
    let steps = 0;
    for (let at = parents.get(id) ?? null; at !== null; at = parents.get(at) ?? null) steps += 1;
    return steps;
  };
  return {
    images: images.filter(({ id }) => !keptIds.has(id)).map(({ id }) => id),
    layers: unused.sort((a, b) => depth(b) - depth(a) || (a < b ? -1 : 1)),
  };
}

/** When images go by themselves. */
export interface GcMarks {
  /** Percent of the filesystem in use from which on images go, and down to which. */
  readonly high: number;
  readonly low: number;
  /** Bytes that all layers together may take; null for no limit. */
  readonly budget: number | null;
  /** An image stays this long after it was last needed. */
  readonly minAgeMs: number;
}

export interface DiskState {
  readonly bytes: number;
  readonly free: number;
  /** Of all layers. */
  readonly layers: number;
}

/** How much has to go; 0 below the marks. */
export function bytesToFree({ bytes, free, layers }: DiskState, { high, low, budget }: GcMarks): number {
  const used = bytes - free;
  const overMark = used >= (bytes * high) / 100 ? used - (bytes * low) / 100 : 0;
  const overBudget = budget === null ? 0 : layers - budget;
  return Math.max(0, Math.ceil(Math.max(overMark, overBudget)));
}

export interface EvictionInput extends Omit<GcInput, 'includeNamed'> {
  /** Bytes of each layer on disk. */
  readonly layerBytes: ReadonlyMap<string, number>;
  /** Unix ms when each image was last needed; one that is not in it counts as needed just now. */
  readonly lastUsed: ReadonlyMap<string, number>;
  readonly now: Instant;
  readonly toFree: number;
}

export interface Eviction extends Garbage {
  readonly bytes: number;
}

/** The images to remove so that enough becomes free, or all that may go: least recently used first, those without a name before others. */
export function chooseEvictions(input: EvictionInput, { minAgeMs }: Pick<GcMarks, 'minAgeMs'>): Eviction {
  const { images, neededImages, lastUsed, now, layerBytes, toFree } = input;
  const age = ({ id }: GcImage): number => now.wallMs - (lastUsed.get(id) ?? now.wallMs);
  const candidates = images
    .filter((image) => !neededImages.has(image.id) && age(image) >= minAgeMs)
    .sort(
      (a, b) => Math.min(a.names.length, 1) - Math.min(b.names.length, 1) || age(b) - age(a) || (a.id < b.id ? -1 : 1),
    );
  const staying = new Set(images.map(({ id }) => id));
  const garbage = (): Eviction => {
    const found = findGarbage({ ...input, neededImages: staying, includeNamed: true });
    return { ...found, bytes: found.layers.reduce((sum, id) => sum + (layerBytes.get(id) ?? 0), 0) };
  };
  let chosen = garbage();
  for (const { id } of candidates) {
    if (chosen.bytes >= toFree) break;
    staying.delete(id);
    chosen = garbage();
  }
  return chosen;
}
