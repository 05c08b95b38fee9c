import type { Readable } from 'node:stream';
import { DEFAULT_LAYER_LIMITS, type LoadContext, type LoadedImage, type LoadedLayer } from './image.ts';
import { parseImageConfig, sha256Hex } from './image-config.ts';
import { recipePath } from './recipe/recipe-path.ts';
import { RecipeWriter } from './recipe/recipe-writer.ts';
import { unpackLayer } from './unpack/unpack.ts';

/** Where the bytes of a layer come from; opened only when the layer is not there yet. */
export interface LayerBlob {
  readonly open: () => Readable | Promise<Readable>;
  /** sha256 of the stored bytes in hex, where it is known beside the DiffID. */
  readonly digest: string | null;
}

/** ChainID of each layer, bottom first (OCI image-spec, config.md): what a layer and all below it are. */
export function chainIds(diffIds: readonly string[]): string[] {
  const chain: string[] = [];
  for (const diffId of diffIds) {
    const below = chain.at(-1);
    chain.push(below === undefined ? diffId : sha256Hex(`sha256:${below} sha256:${diffId}`));
  }
  return chain;
}

/**
 * Puts the layers of an image into the graph, skipping those that are there, and describes the image.
 * @param blobs one for each DiffID of the configuration.
 */
export async function loadLayers(
  configJson: string,
  references: readonly string[],
  blobs: readonly LayerBlob[],
  context: LoadContext,
): Promise<LoadedImage> {
  context.admit?.(references);
  const { diffIds, ...described } = parseImageConfig(configJson);
  const chain = chainIds(diffIds);
  const layers: LoadedLayer[] = [];
  for (const [index, chainId] of chain.entries()) {
    const parent = chain[index - 1] ?? null;
    const diffId = diffIds[index] as string;
    await ensureLayer({ chainId, parent, diffId }, blobs[index] as LayerBlob, context);
    layers.push({ chainId, diffId, parent, size: await context.graph.size(chainId) });
  }
  return { id: sha256Hex(configJson), ...described, references, layers, topLayer: chain.at(-1) ?? null, configJson };
}

/** Puts one layer into the graph, unless it is there. */
export async function ensureLayer(
  { chainId, parent, diffId }: Omit<LoadedLayer, 'size'>,
  blob: LayerBlob,
  { graph, recipes, progress, limits, signal }: LoadContext,
): Promise<void> {
  signal?.throwIfAborted();
  let unpacked: number | null = null;
  await graph.createLayer(chainId, parent, async (target) => {
    const recipe = await RecipeWriter.create(recipePath(recipes, chainId));
    try {
      unpacked = await unpackLayer(await blob.open(), target, {
        diffId,
        blobDigest: blob.digest,
        limits: limits ?? DEFAULT_LAYER_LIMITS,
        recipe,
        progress: (bytes) => progress({ type: 'layer-progress', chainId, bytes }),
        signal,
      });
    } finally {
      await recipe.discard();
    }
  });
  progress(unpacked === null ? { type: 'layer-exists', chainId } : { type: 'layer-done', chainId, bytes: unpacked });
}
