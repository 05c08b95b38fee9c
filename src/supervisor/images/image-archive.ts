/** Images as a stream, for who takes them away over the network. */
import { dockerArchive } from '../../images/export/docker-archive.ts';
import type { LayerStore } from '../../images/export/layer-tar.ts';
import { imagesToSave, type NamedImages } from './find-images.ts';

export interface ArchiveParts {
  readonly images: NamedImages;
  readonly layers: LayerStore;
}

/**
 * A docker-archive. Nothing is held while it is read, so that a slow reader keeps no image from its removal: the stream
 * fails then. @throws TSD_NO_SUCH_RESOURCE, TSD_IMAGE_MISSING before the first byte
 */
export function imageArchive({ images, layers }: ArchiveParts, names: readonly string[]): AsyncIterable<Buffer> {
  return dockerArchive(layers, imagesToSave(images, names));
}
