import type { StoredImage } from '../../images/export/stored-image.ts';
import { ERROR_CATALOGUE } from '../../model/errors/error-catalogue.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { own } from '../../model/own.ts';
import type { GraphIndex } from '../../state/images/graph-index.ts';
import { parseImageName } from '../../state/images/image-names.ts';
import type { ImageRecord } from '../../state/images/image-record.ts';
import type { RepositoryStore } from '../../state/images/repositories.ts';

/** Images of this host, by id and by name. */
export interface ImageLookup {
  readonly images: Pick<GraphIndex, 'get' | 'lookup'>;
  readonly repositories: Pick<RepositoryStore, 'lookup'>;
}

/** And all the names that there are. */
export interface NamedImages extends ImageLookup {
  readonly repositories: ImageLookup['repositories'] & Pick<RepositoryStore, 'all' | 'get'>;
}

/** `repository:tag` of every name of an image. */
export function tagsOf(repositories: Pick<RepositoryStore, 'namesOf'>, imageId: string): string[] {
  return repositories.namesOf(imageId).map(({ repository, tag }) => `${repository}:${tag}`);
}

/** The image that a person means. @throws TSD_NO_SUCH_RESOURCE. */
export function findImage(known: ImageLookup, text: string): ImageRecord {
  const image = known.images.get(idOf(known, text));
  if (image === undefined) throw noImage(text);
  return image;
}

function idOf({ images, repositories }: ImageLookup, text: string): string {
  try {
    return repositories.lookup(text, (prefix) => images.lookup(prefix).id);
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
export function imagesToSave(known: NamedImages, texts: readonly string[]): StoredImage[] {
  const wanted = new Map<string, Set<string>>();
  const want = (id: string, name: string | null): void => {
    const names = wanted.get(id) ?? new Set();
    if (name !== null) names.add(name);
    wanted.set(id, names);
  };
  const repositories = known.repositories.all();
  for (const text of texts) {
    const tags = own(repositories, text);
    if (tags) {
      for (const [tag, id] of Object.entries(tags)) want(id, `${text}:${tag}`);
      continue;
    }
    const name = parseImageName(text);
    const exact = known.repositories.get(name);
    if (exact !== null) want(exact, `${name.repository}:${name.tag}`);
    else want(findImage(known, text).id, null);
  }
  return [...wanted].map(([id, names]) => {
    const image = known.images.get(id);
    if (!image) throw new TsdError('TSD_NO_SUCH_RESOURCE', `image ${id.slice(0, 12)} is not there any more`);
    return storedImage(image, [...names].sort());
  });
}
