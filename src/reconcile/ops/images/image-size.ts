/** `Size` of an image's record and its file layersize. */
import type { ImageRecord } from '../../../state/images/image-record.ts';
import type { World } from '../world.ts';

/** An image of ours stands for all its layers, which have no records of their own. */
export function imageSize(world: World, layers: readonly { readonly chainId: string }[]): Promise<number> {
  return world.imageWork.sizes.of(
    world.graph,
    layers.map(({ chainId }) => chainId),
  );
}

/** Earlier versions wrote 0 for every image. */
function lacksSize({ Size, Tsdocker: stored }: ImageRecord): boolean {
  return Size === 0 && (stored?.Layers ?? []).some((layer) => layer.Size > 0);
}

/** Looks up the sizes that are missing in records, one image after the other. */
export async function mendSizes(world: World): Promise<void> {
  for (const image of world.images.all().filter(lacksSize)) {
    const layers = (image.Tsdocker?.Layers ?? []).map(({ ChainId }) => ({ chainId: ChainId }));
    if (layers.every(({ chainId }) => world.graph.exists(chainId))) {
      world.images.saveSize(image.id, await imageSize(world, layers));
    }
  }
}
