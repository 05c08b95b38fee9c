/** `Size` of an image's record and its file layersize. */

import type { GraphDriver } from '../../../drivers/contract/graph.ts';
import type { GraphIndex } from '../../../state/images/graph-index.ts';
import type { ImageRecord } from '../../../state/images/image-record.ts';
import type { ImageWork } from './image-work.ts';

export interface SizePorts {
  readonly graph: GraphDriver;
  readonly imageWork: Pick<ImageWork, 'sizes'>;
}

/** Returns the size of an image with all its layers, which have no records of their own. */
export function imageSize(
  { graph, imageWork }: SizePorts,
  layers: readonly { readonly chainId: string }[],
): Promise<number> {
  return imageWork.sizes.of(
    graph,
    layers.map(({ chainId }) => chainId),
  );
}

/** Earlier versions wrote 0 for every image. */
function lacksSize({ Size, Tsdocker: stored }: ImageRecord): boolean {
  return Size === 0 && (stored?.Layers ?? []).some((layer) => layer.Size > 0);
}

/** Looks up the sizes that are missing in records, one image after the other. */
export async function recordMissingSizes(
  ports: SizePorts & { readonly images: Pick<GraphIndex, 'all' | 'saveSize'> },
): Promise<void> {
  for (const image of ports.images.all().filter(lacksSize)) {
    const layers = (image.Tsdocker?.Layers ?? []).map(({ ChainId }) => ({ chainId: ChainId }));
    if (layers.every(({ chainId }) => ports.graph.exists(chainId))) {
      ports.images.saveSize(image.id, await imageSize(ports, layers));
    }
  }
}
