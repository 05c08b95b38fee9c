import type { StoredImage } from '../../images/export/stored-image.ts';
import { ERROR_CATALOGUE } from '../../model/errors/error-catalogue.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { own } from '../../model/own.ts';
import type { World } from '../../reconcile/ops/world.ts';
import { parseImageName } from '../../state/images/image-names.ts';
import type { ImageRecord } from '../../state/images/image-record.ts';

/** `repository:tag` of every name of an image. */
export function tagsOf(world: World, imageId: string): string[] {
  return world.repositories.namesOf(imageId).map(({ repository, tag }) => `${repository}:${tag}`);
}

/** The image that a person means. @throws TSD_NO_SUCH_RESOURCE. */
export function findImage(world: World, text: string): ImageRecord {
  const image = world.images.get(idOf(world, text));
  if (image === undefined) throw noImage(text);
  return image;
}

function idOf(world: World, text: string): string {
  try {
    return world.repositories.lookup(text, (prefix) => world.images.lookup(prefix).id);
  } catch (thrown) {
    // That of an id which is not complete says what to do.
    if (thrown instanceof TsdError && thrown.hint === ERROR_CATALOGUE.TSD_NO_SUCH_RESOURCE.hint) throw noImage(text);
    throw thrown;
  }
}

const noImage = (text: string): TsdError =>
  new TsdError('TSD_NO_SUCH_RESOURCE', `there is no image ${text}`, {
    hint: '`tsdocker images` lists those on this host.',
  });

/** @throws TSD_IMAGE_MISSING for an image that Docker 1.4 made, whose layers are no archives of today. */
export function storedImage(image: ImageRecord, names: readonly string[]): StoredImage {
  const { Tsdocker: stored } = image;
  if (!stored) {
    throw new TsdError('TSD_IMAGE_MISSING', `image ${image.id.slice(0, 12)} was made by Docker 1.4`, {
      class: 'unsupported',
      hint: 'Save it with that Docker and load the archive here.',
    });
  }
  const layers = (stored.Layers ?? []).map(({ ChainId, DiffId }) => ({ chainId: ChainId, diffId: DiffId }));
  return { id: image.id, configJson: stored.ConfigJson, layers, names };
}

/**
 * The images to save, each once, with the names that were asked for: a repository without a tag brings all its tags, an
 * id none. @throws TSD_NO_SUCH_RESOURCE.
 */
export function imagesToSave(world: World, texts: readonly string[]): StoredImage[] {
  const wanted = new Map<string, Set<string>>();
  const want = (id: string, name: string | null): void => {
    const names = wanted.get(id) ?? new Set();
    if (name !== null) names.add(name);
    wanted.set(id, names);
  };
  const repositories = world.repositories.all();
  for (const text of texts) {
    const tags = own(repositories, text);
    if (tags) {
      for (const [tag, id] of Object.entries(tags)) want(id, `${text}:${tag}`);
      continue;
    }
    const name = parseImageName(text);
    const exact = world.repositories.get(name);
    if (exact !== null) want(exact, `${name.repository}:${name.tag}`);
    else want(findImage(world, text).id, null);
  }
  return [...wanted].map(([id, names]) => {
    const image = world.images.get(id);
    if (!image) throw new TsdError('TSD_NO_SUCH_RESOURCE', `image ${id.slice(0, 12)} is not there any more`);
    return storedImage(image, [...names].sort());
  });
}
