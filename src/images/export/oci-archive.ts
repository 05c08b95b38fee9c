import type { LayerStore } from './layer-tar.ts';
import { blobPath, ociLayout } from './oci-layout.ts';
import type { StoredImage } from './stored-image.ts';
import { END, streamedFile, textFile } from './tar-output.ts';

/**
 * An OCI image layout of some images as a tar, streamed, which `docker load` takes too.
 * @throws TSD_IMAGE_INVALID when a layer's tar cannot be put together again.
 */
export async function* ociArchive(store: LayerStore, images: readonly StoredImage[]): AsyncGenerator<Buffer> {
  for await (const file of ociLayout(store, images)) {
    if ('text' in file) yield* textFile(file.path, file.text);
    else yield* streamedFile(file.path, file.size, file.pieces);
  }
  yield* textFile('manifest.json', JSON.stringify(images.map(dockerManifest)));
  yield END;
}

/** By this Docker finds the images, as in what it saves itself; it does not read the index of a layout. */
const dockerManifest = ({ id, names, layers }: StoredImage): object => ({
  Config: blobPath(id),
  RepoTags: names.length === 0 ? null : names,
  Layers: layers.map(({ diffId }) => blobPath(diffId)),
});
