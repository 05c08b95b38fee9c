/** What may be thrown away. Pure: it names, others remove. */

export interface GcImage {
  readonly id: string;
  /** Graph driver keys that the image needs; those below them need not be listed. */
  readonly layers: readonly string[];
  /** `repository:tag`. */
  readonly names: readonly string[];
}

export interface GcLayer {
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

/** Images nobody needs, and layers that no image stays for. Snapshots are never named, and keep what they stand on. */
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
