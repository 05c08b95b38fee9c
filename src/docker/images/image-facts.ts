/** What is known of images beside their names. Pure. */
import type { ImageRecord } from '../../state/images/image-record.ts';

export function imageLabels(image: ImageRecord | undefined): Readonly<Record<string, string>> {
  return image?.Tsdocker?.Labels ?? {};
}

/** Bytes of all its layers. An image of Docker 1.4 is one layer, and knows its size alone. */
export function imageSize(image: ImageRecord | undefined): number {
  const layers = image?.Tsdocker?.Layers;
  return layers ? layers.reduce((sum, { Size }) => sum + Size, 0) : (image?.Size ?? 0);
}

/** An image, and those whose layers are on top of all of its own. */
export function descendantsOf(images: readonly ImageRecord[], id: string): ReadonlySet<string> {
  const top = images.find((image) => image.id === id)?.Tsdocker?.Layers?.at(-1)?.ChainId;
  const above = images.filter(({ Tsdocker }) => Tsdocker?.Layers?.some(({ ChainId }) => ChainId === top));
  return new Set([id, ...(top === undefined ? [] : above.map((image) => image.id))]);
}
