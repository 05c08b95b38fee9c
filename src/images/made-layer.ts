import { Readable } from 'node:stream';
import { TsdError } from '../model/errors/errors.ts';
import type { DeclaredImageConfig, LoadContext, LoadedImage } from './image.ts';
import { buildImageConfig } from './image-config.ts';
import { loadLayers } from './layers.ts';
import { ChangedMeanwhile, measured, type TreeEntry, treeTar } from './tree/tree-tar.ts';
import { VERIFY_DIGEST } from './unpack/unpack.ts';

/**
 * An image with one layer made of files of this host. The files are read once to learn the layer's digest and, only when
 * the graph does not have it, again to write it. @param entries called for each of both
 * @throws TSD_IMAGE_SOURCE when a file changes in between
 */
export async function loadMadeLayer(
  entries: () => Iterable<TreeEntry> | AsyncIterable<TreeEntry>,
  declared: DeclaredImageConfig,
  context: LoadContext,
): Promise<LoadedImage> {
  const { sha256: diffId, size } = await measured(treeTar(entries()), context.signal);
  const blob = { open: () => Readable.from(treeTar(entries()), { objectMode: false }), digest: null, size };
  try {
    return await loadLayers(buildImageConfig(declared, diffId), [], [blob], context);
  } catch (thrown) {
    if (thrown instanceof TsdError && thrown.step === VERIFY_DIGEST) throw new ChangedMeanwhile('a file', thrown);
    throw thrown;
  }
}
