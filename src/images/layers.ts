import type { Readable } from 'node:stream';
import { DEFAULT_LAYER_LIMITS, type LoadContext, type LoadedImage, type LoadedLayer } from './image.ts';
import { parseImageConfig, sha256Hex } from './image-config.ts';
import { recipePath } from './recipe/recipe-path.ts';
import { RecipeWriter } from './recipe/recipe-writer.ts';
import { unpackLayer } from './unpack/unpack.ts';

/** Where the bytes of a layer come from; opened only when the layer is not there yet. */
export interface LayerBlob {
  /** Resolves when the bytes are at hand; until then the layer is free for who has them already. */
  readonly ready?: () => Promise<unknown>;
  readonly open: () => Readable | Promise<Readable>;
  /** sha256 of the stored bytes in hex, where it is known beside the DiffID. */
  readonly digest: string | null;
  /** Of the stored bytes, where it is known before they are read. */
  readonly size?: number | undefined;
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

/** Puts one layer into the graph, unless it is there. Two that ask for the same one at the same time share the work. */
export async function ensureLayer(
  layer: Omit<LoadedLayer, 'size'>,
  blob: LayerBlob,
  context: LoadContext,
): Promise<void> {
  const { chainId } = layer;
  const { work, progress, signal } = context;
  signal?.throwIfAborted();
  if (blob.ready !== undefined && !context.graph.exists(chainId)) await blob.ready();
  const bytes = await work.once(chainId, (report) => makeLayer(layer, blob, context, report), progress, signal);
  progress(bytes === null ? { type: 'layer-exists', chainId } : { type: 'layer-done', chainId, bytes });
}

/** @returns bytes of the layer's tar; null when it is there. */
async function makeLayer(
  { chainId, parent, diffId }: Omit<LoadedLayer, 'size'>,
  blob: LayerBlob,
  { graph, recipes, limits, signal }: LoadContext,
  report: LoadContext['progress'],
): Promise<number | null> {
  let unpacked: number | null = null;
  await graph.createLayer(chainId, parent, async (target) => {
    const recipe = await RecipeWriter.create(recipePath(recipes, chainId));
    try {
      unpacked = await unpackLayer(await blob.open(), target, {
        diffId,
        blobDigest: blob.digest,
        limits: limits ?? DEFAULT_LAYER_LIMITS,
        recipe,
        progress: (bytes) => report({ type: 'layer-progress', chainId, bytes, total: blob.size ?? null }),
        signal,
      });
    } finally {
      await recipe.discard();
    }
  });
  return unpacked;
}
