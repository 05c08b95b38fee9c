/** Sizes of layers, and the tree of layers and images. */
import type { TreeNodeView } from '../../api/images/image-files.ts';
import type { GraphDriver } from '../../drivers/contract/graph.ts';
import type { GraphIndex } from '../../state/images/graph-index.ts';
import type { RepositoryStore } from '../../state/images/repositories.ts';
import { tagsOf } from './find-images.ts';

export interface LayerSizePorts {
  readonly images: Pick<GraphIndex, 'all'>;
  readonly graph: Pick<GraphDriver, 'exists' | 'size'>;
}

export interface TreePorts extends LayerSizePorts {
  readonly graph: LayerSizePorts['graph'] & Pick<GraphDriver, 'list'>;
  readonly repositories: Pick<RepositoryStore, 'namesOf'>;
}

/** Sizes of layers are in the records of the images they came with; what no record names is measured. */
export async function layerSize({ images, graph }: LayerSizePorts, id: string): Promise<number> {
  for (const { Tsdocker: stored } of images.all()) {
    const layer = stored?.Layers?.find(({ ChainId }) => ChainId === id);
    if (layer) return layer.Size;
  }
  return snapshotSize(graph, id);
}

/** 0 for one that is not there. */
export async function snapshotSize(graph: LayerSizePorts['graph'], id: string): Promise<number> {
  return graph.exists(id) ? graph.size(id) : 0;
}

/** Layers with the layers and images on top of them. */
export async function imageTree(ports: TreePorts): Promise<readonly TreeNodeView[]> {
  const layers = ports.graph.list().filter(({ type }) => type === 'layer');
  const present = new Set(layers.map(({ id }) => id));
  const images = ports.images.all().filter(({ Tsdocker: stored }) => stored !== null && stored !== undefined);
  const bytes = new Map<string, number>();
  for (const { id } of layers) bytes.set(id, await layerSize(ports, id));
  const nodeOf = (id: string): TreeNodeView => ({
    id,
    type: 'layer',
    tags: [],
    size: bytes.get(id) ?? 0,
    children: childrenOf(id),
  });
  const childrenOf = (parent: string | null): TreeNodeView[] => [
    ...images
      .filter((image) => (image.parent === '' ? null : image.parent) === parent)
      .map(
        ({ id }): TreeNodeView => ({ id, type: 'image', tags: tagsOf(ports.repositories, id), size: 0, children: [] }),
      ),
    ...layers
      .filter((layer) => (layer.parent !== null && present.has(layer.parent) ? layer.parent : null) === parent)
      .map(({ id }) => nodeOf(id)),
  ];
  return childrenOf(null);
}
