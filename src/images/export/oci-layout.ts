import { sha256Hex } from '../image-config.ts';
import { type LayerStore, layerTar, layerTarSize } from './layer-tar.ts';
import type { StoredImage } from './stored-image.ts';

const REF_NAME = 'org.opencontainers.image.ref.name';
const TYPES = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
} as const;

interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** A file by its path in the layout: small and whole, or streamed. */
export type LayoutFile =
  | { readonly path: string; readonly text: string }
  | { readonly path: string; readonly size: number; readonly pieces: AsyncIterable<Buffer> };

/**
 * The files of an OCI image layout of some images, each to be written before the next is asked for. Layers are stored
 * uncompressed, each once; an image with several names has several entries in the index, which comes last.
 * @throws TSD_IMAGE_INVALID when a layer's tar cannot be put together again.
 */
export async function* ociLayout(store: LayerStore, images: readonly StoredImage[]): AsyncGenerator<LayoutFile> {
  const written = new Map<string, number>();
  const entries: object[] = [];
  yield { path: 'oci-layout', text: JSON.stringify({ imageLayoutVersion: '1.0.0' }) };
  for (const image of images) {
    const layers: Descriptor[] = [];
    for (const layer of image.layers) {
      const size = written.get(layer.diffId) ?? (await layerTarSize(store, layer));
      if (!written.has(layer.diffId)) yield { path: blobPath(layer.diffId), size, pieces: layerTar(store, layer) };
      written.set(layer.diffId, size);
      layers.push({ mediaType: TYPES.layer, digest: `sha256:${layer.diffId}`, size });
    }
    const config = descriptorOf(image.configJson, TYPES.config);
    const manifestJson = JSON.stringify({ schemaVersion: 2, mediaType: TYPES.manifest, config, layers });
    const manifest = descriptorOf(manifestJson, TYPES.manifest);
    yield* smallBlob(image.configJson, written);
    yield* smallBlob(manifestJson, written);
    if (image.names.length === 0) entries.push(manifest);
    for (const name of image.names) entries.push({ ...manifest, annotations: { [REF_NAME]: name } });
  }
  const index = { schemaVersion: 2, mediaType: TYPES.index, manifests: entries };
  yield { path: 'index.json', text: JSON.stringify(index) };
}

export const blobPath = (digest: string): string => `blobs/sha256/${digest}`;

function descriptorOf(text: string, mediaType: string): Descriptor {
  return { mediaType, digest: `sha256:${sha256Hex(text)}`, size: Buffer.byteLength(text) };
}

function* smallBlob(text: string, written: Map<string, number>): Generator<LayoutFile> {
  const digest = sha256Hex(text);
  if (written.has(digest)) return;
  written.set(digest, Buffer.byteLength(text));
  yield { path: blobPath(digest), text };
}
