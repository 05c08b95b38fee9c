import { Readable } from 'node:stream';
import type { DeclaredImageConfig, LoadContext, LoadedImage } from './image.ts';
import { buildImageConfig } from './image-config.ts';
import { loadLayers } from './layers.ts';
import { measured, type TreeEntry, treeTar } from './tree/tree-tar.ts';

/**
 * An image with one layer made of files of this host. The files are read once to learn the layer's digest and, only when
 * the graph does not have it, again to write it; a file that changes in between fails the digest check.
 */
export async function loadMadeLayer(
  entries: readonly TreeEntry[],
  declared: DeclaredImageConfig,
  context: LoadContext,
): Promise<LoadedImage> {
  const { sha256: diffId, size } = await measured(treeTar(entries), context.signal);
  const blob = { open: () => Readable.from(treeTar(entries), { objectMode: false }), digest: null, size };
  return loadLayers(buildImageConfig(declared, diffId), [], [blob], context);
}
