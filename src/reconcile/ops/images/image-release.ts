import type { Instance } from '../../../drivers/contract/driver.ts';
import type { GraphDriver } from '../../../drivers/contract/graph.ts';
import { removeRecipe } from '../../../images/recipe/recipe-path.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import type { ImageStore } from '../../../state/history/image-store.ts';
import type { ResourceStore } from '../../../state/history/resource-store.ts';
import type { GraphIndex } from '../../../state/images/graph-index.ts';
import type { RepositoryStore } from '../../../state/images/repositories.ts';
import type { OpOf } from '../../op.ts';
import { recipesOf } from './image-intake.ts';
import { imageName } from './image-name.ts';
import type { ImageWork } from './image-work.ts';

/** Images that earlier generations were made of. */
export interface KeptImages {
  readonly imagesOfPast: Pick<ImageStore, 'neededBy'>;
  /** A rollback to one of so many generations finds its images on this host. */
  readonly settings: { readonly keptGenerations: number };
}

/** What names, declares or uses an image, and what it is made of. */
export interface UnusedImagePorts {
  readonly repositories: Pick<RepositoryStore, 'namesOf'>;
  readonly resources: Pick<ResourceStore, 'images'>;
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly images: Pick<GraphIndex, 'get' | 'remove' | 'layersInUse'>;
  readonly graph: Pick<GraphDriver, 'list' | 'remove'>;
  readonly instance: Instance;
}

export interface ReleaseImagePorts extends KeptImages {
  readonly repositories: Pick<RepositoryStore, 'delete'>;
  readonly unusedImages: UnusedImagePorts;
  readonly resources: Pick<ResourceStore, 'images' | 'removeImage'>;
  readonly imageWork: Pick<ImageWork, 'pruningIfIdle'>;
}

/**
 * Gives up the name of an image that no manifest declares. An image that nothing else names or uses is removed, unless a
 * rollback needs it, or images are being made just now, whose layers may be its own: then collection finds it later.
 */
export async function releaseImage(ports: ReleaseImagePorts, op: OpOf<'image.release'>): Promise<void> {
  const [, app = '', name = ''] = op.key.split('/');
  const imageId = ports.resources.images().find(({ key }) => key === op.key)?.imageId ?? null;
  await ports.repositories.delete(imageName({ app, name }));
  ports.resources.removeImage(op.key);
  if (imageId === null || isOfKeptGeneration(ports, imageId)) return;
  await ports.imageWork.pruningIfIdle(() => removeUnusedImage(ports.unusedImages, imageId));
}

/** Whether a rollback to one of the generations that are kept needs the image. */
export function isOfKeptGeneration({ imagesOfPast, settings }: KeptImages, imageId: string): boolean {
  return imagesOfPast.neededBy(settings.keptGenerations).has(imageId);
}

/** Removes an image that nothing names, declares or uses, with the layers that are only its own. */
export async function removeUnusedImage(ports: UnusedImagePorts, imageId: string): Promise<void> {
  const used =
    ports.repositories.namesOf(imageId).length > 0 ||
    ports.resources.images().some((image) => image.imageId === imageId) ||
    ports.containers.all().some((container) => container.imageId === imageId);
  const layers = ports.images.get(imageId)?.Tsdocker?.Layers ?? [];
  if (used) return;
  await ports.images.remove(imageId);
  const needed = ports.images.layersInUse();
  const snapshots = new Set(ports.containers.all().map(({ topLayer }) => topLayer));
  for (const { ChainId } of [...layers].reverse()) {
    if (needed.has(ChainId) || snapshots.has(ChainId)) return;
    // Steps of a build that are in no image: collection knows about them.
    if (ports.graph.list().some(({ parent }) => parent === ChainId)) return;
    await ports.graph.remove(ChainId);
    removeRecipe(recipesOf(ports), ChainId);
  }
}
