import { createReadStream, realpathSync, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { TsdError } from '../../model/errors/errors.ts';
import type { ImageSource, LoadContext, LoadedImage } from '../image.ts';
import { buildImageConfig } from '../image-config.ts';
import { loadLayers } from '../layers.ts';
import { loadMadeLayer } from '../made-layer.ts';
import { directoryEntries } from '../tree/directory-entries.ts';
import { measured, type TreeEntry } from '../tree/tree-tar.ts';
import { decompressed } from '../unpack/decompress.ts';
import { sourceMissing } from './image-files.ts';

type RootfsSource = Extract<ImageSource, { type: 'rootfs' }>;

/** Loads a directory or a tarball (plain or compressed) as an image of one layer. */
export async function loadRootfs({ path, config }: RootfsSource, context: LoadContext): Promise<LoadedImage> {
  context.progress({ type: 'reading', what: path });
  const found: Stats = await stat(path).catch((thrown: unknown) => {
    throw sourceMissing(path, thrown);
  });
  if (found.isDirectory()) {
    // Looked for once: files that come meanwhile would make the second reading another one.
    const entries: TreeEntry[] = [];
    for await (const entry of directoryEntries(realpathSync(path), context.signal)) entries.push(entry);
    return loadMadeLayer(() => entries, config, context);
  }
  if (!found.isFile()) {
    throw new TsdError('TSD_IMAGE_SOURCE', `${path} is neither a directory nor a file`, { step: 'open image source' });
  }
  const { sha256: diffId } = await measured(
    decompressed(createReadStream(path), () => {}),
    context.signal,
  );
  const blob = { open: () => createReadStream(path), digest: null, size: found.size };
  return loadLayers(buildImageConfig(config, diffId), [], [blob], context);
}
