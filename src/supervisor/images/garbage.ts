/** Images and layers that nothing needs. */
import type { Instance } from '../../drivers/contract/driver.ts';
import type { GraphDriver } from '../../drivers/contract/graph.ts';
import { findGarbage, type Garbage, type GcInput, type Listing, limitedTo } from '../../images/gc.ts';
import { removeRecipe } from '../../images/recipe/recipe-path.ts';
import type { Desired } from '../../model/desired.ts';
import type { Declared } from '../../reconcile/ops/declared.ts';
import { recipesOf } from '../../reconcile/ops/images/image-intake.ts';
import { type ImageStores, imageIdOf } from '../../reconcile/ops/images/image-of.ts';
import type { KeptImages } from '../../reconcile/ops/images/image-release.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { GraphIndex } from '../../state/images/graph-index.ts';
import type { RepositoryStore } from '../../state/images/repositories.ts';
import { tagsOf } from './find-images.ts';

/** What needs images. */
export interface ImageUsers extends Declared, KeptImages {
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly imageStores: ImageStores;
}

export interface GarbagePorts {
  readonly imageUsers: ImageUsers;
  readonly images: Pick<GraphIndex, 'all' | 'layersInUse' | 'remove'>;
  readonly repositories: Pick<RepositoryStore, 'namesOf' | 'delete'>;
  readonly graph: Pick<GraphDriver, 'list' | 'remove'>;
  readonly instance: Instance;
}

/** Images that a container, a declaration or one of the last generations needs. */
export function neededImages({
  desired: wanted,
  containers,
  imageStores,
  imagesOfPast,
  settings,
}: ImageUsers): ReadonlySet<string> {
  const declared = [...wanted().resources.values()].flatMap((desired) =>
    desired.kind === 'container' ? [imageIdOf(imageStores, desired as Desired<'container'>)] : [],
  );
  return new Set([
    ...containers.all().map(({ imageId }) => imageId),
    ...imageStores.resources.images().map(({ imageId }) => imageId),
    ...declared.filter((id) => id !== null),
    ...imagesOfPast.neededBy(settings.keptGenerations),
  ]);
}

/** Images and layers there are, and which of them something needs. */
export function gcInput({
  imageUsers,
  images: records,
  repositories,
  graph,
}: GarbagePorts): Omit<GcInput, 'includeNamed'> {
  const images = records.all().map((image) => ({
    id: image.id,
    layers: [
      ...(image.parent === '' ? [] : [image.parent]),
      ...(image.Tsdocker?.Layers ?? []).map(({ ChainId }) => ChainId),
    ],
    names: tagsOf(repositories, image.id),
  }));
  const layersOfImages = new Set(images.flatMap(({ id, layers }) => [id, ...layers]));
  return {
    images,
    layers: graph.list(),
    neededImages: neededImages(imageUsers),
    // Images that cannot be read keep their layers: they may be repaired later.
    neededLayers: new Set([...records.layersInUse()].filter((id) => !layersOfImages.has(id))),
  };
}

/** @param request `listed`: all that it may be; null for no such limit */
export function garbage(
  ports: GarbagePorts,
  { all, listed }: { readonly all: boolean; readonly listed: Listing | null },
): Garbage {
  const input = { ...gcInput(ports), includeNamed: all };
  return findGarbage(listed === null ? input : limitedTo(input, listed));
}

/**
 * Removes images and layers that were found to be garbage, and returns which have gone. What has come to be needed since,
 * or has another name by now, stays.
 */
export async function removeGarbage(ports: GarbagePorts, { images, layers }: Listing): Promise<Garbage> {
  const still = (listed: Listing): Garbage => garbage(ports, { all: true, listed });
  const gone: string[] = [];
  for (const image of images) {
    if (!still({ images: [image], layers: [] }).images.includes(image.id)) continue;
    for (const name of ports.repositories.namesOf(image.id)) await ports.repositories.delete(name);
    await ports.images.remove(image.id);
    gone.push(image.id);
  }
  // Of the images that are left each stays, with its layers.
  const unused = still({ images: [], layers }).layers;
  for (const id of unused) {
    await ports.graph.remove(id);
    removeRecipe(recipesOf(ports), id);
  }
  return { images: gone, layers: unused };
}
