import type { GarbagePorts } from '../../supervisor/images/garbage.ts';
import type { LayerSizePorts } from '../../supervisor/images/layer-tree.ts';
import type { Parts } from './op-ports.ts';

/** What is looked through for images that nothing needs. */
export function garbagePorts(parts: Parts): GarbagePorts & LayerSizePorts & { readonly graph: Parts['graph'] } {
  const { desired, containers, imageStores, imagesOfPast, settings, images, repositories, graph, instance } = parts;
  const imageUsers = { desired, containers, imageStores, imagesOfPast, settings };
  return { imageUsers, images, repositories, graph, instance };
}
