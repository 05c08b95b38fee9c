import { Readable } from 'node:stream';
import { TsdError } from '../../model/errors/errors.ts';
import { goArchitecture } from '../../model/platform.ts';
import type { RawConfig } from '../build/config.ts';
import type { LoadContext, LoadedImage } from '../image.ts';
import { type LayerBlob, loadLayers } from '../layers.ts';
import { measured } from '../tree/tree-tar.ts';
import { changeConfig } from './config-changes.ts';
import { mergedConfig } from './merged-config.ts';

export interface NewLayer {
  /** Configuration of the image it goes on top of; null makes a first layer. */
  readonly baseConfigJson: string | null;
  /** The layer's tar, uncompressed. Called twice, for the digest and to unpack: both times it must give the same bytes. */
  readonly tar: () => AsyncIterable<Buffer>;
  /** Dockerfile instructions for the configuration. */
  readonly changes: readonly string[];
  /** Goes before the configuration of the image below, and after the changes. */
  readonly config?: RawConfig | undefined;
  /** RFC 3339. */
  readonly created: string;
  readonly author: string;
  readonly comment: string;
  /** What made its content; left out, nothing is said. */
  readonly createdBy?: string;
}

interface RawImage {
  readonly config?: RawConfig | null;
  readonly rootfs?: { readonly diff_ids?: readonly string[] | null };
  readonly history?: readonly unknown[] | null;
}

const EMPTY_IMAGE: RawImage = { config: {}, rootfs: { diff_ids: [] }, history: [] };

/**
 * Makes an image by putting one layer on top of another image, whose layers are in the graph.
 * @throws TSD_BAD_REQUEST for a change that cannot be read, TSD_IMAGE_INVALID when the content changes meanwhile, and
 * what unpacking throws.
 */
export async function addLayer(layer: NewLayer, context: LoadContext): Promise<LoadedImage> {
  const base = layer.baseConfigJson === null ? EMPTY_IMAGE : (JSON.parse(layer.baseConfigJson) as RawImage);
  const config = changeConfig(mergedConfig(layer.config ?? {}, base.config ?? {}), layer.changes);
  const below = base.rootfs?.diff_ids ?? [];
  const { sha256: diffId, size } = await measured(layer.tar(), context.signal);
  const entry = {
    created: layer.created,
    ...(layer.author !== '' && { author: layer.author }),
    ...(layer.comment !== '' && { comment: layer.comment }),
  };
  const configJson = JSON.stringify({
    architecture: goArchitecture(process.arch),
    os: 'linux',
    ...base,
    ...entry,
    config,
    rootfs: { type: 'layers', diff_ids: [...below, `sha256:${diffId}`] },
    history: [
      ...(base.history ?? below.map(() => ({}))),
      { ...entry, ...(layer.createdBy !== undefined && { created_by: layer.createdBy }) },
    ],
  });
  const blobs: LayerBlob[] = below.map((digest) => ({ open: () => missing(digest), digest: null }));
  const open = () => Readable.from(layer.tar(), { objectMode: false });
  return loadLayers(configJson, [], [...blobs, { open, digest: null, size }], context);
}

function missing(digest: string): never {
  throw new TsdError('TSD_IMAGE_MISSING', `layer ${digest} of the image below is not there`, { step: 'add layer' });
}
