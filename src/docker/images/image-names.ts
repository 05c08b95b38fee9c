/** Names of images as clients write them, and as they are kept here. */
import { familiarRepository, formatReference, parseImageReference } from '../../model/image-reference.ts';
import { own } from '../../model/own.ts';
import type { ImageRecord } from '../../state/images/image-record.ts';
import type { RepositoryStore } from '../../state/images/repositories.ts';
import { DockerError } from '../wire/docker-error.ts';

/** Read once for an answer: each reading asks the disk. */
export type Repositories = ReturnType<RepositoryStore['all']>;

/** `repository:tag` of every image, by id, sorted. */
export function tagsById(repositories: Repositories): ReadonlyMap<string, readonly string[]> {
  const tags = new Map<string, string[]>();
  for (const [repository, images] of Object.entries(repositories)) {
    for (const [tag, id] of Object.entries(images ?? {})) {
      const known = tags.get(id);
      if (known) known.push(`${repository}:${tag}`);
      else tags.set(id, [`${repository}:${tag}`]);
    }
  }
  for (const known of tags.values()) known.sort();
  return tags;
}

/** Id of the image that a name means; null where it means none. @throws DockerError 400 for what is no name */
function taggedId(repositories: Repositories, text: string): string | null {
  const reference = parseImageReference(text);
  if (!reference.ok) {
    const repository = text.replace(/[:@][^/]*$/, '');
    if (/[A-Z]/.test(repository)) {
      const whole = repository.includes('/') ? repository : `library/${repository}`;
      throw new DockerError(400, `invalid reference format: repository name (${whole}) must be lowercase`);
    }
    throw new DockerError(400, 'invalid reference format');
  }
  const { tag, digest } = reference.value;
  if (digest !== null) return null;
  const tags = own(repositories, familiarRepository(reference.value));
  return (tags && own(tags, tag ?? 'latest')) ?? null;
}

/** How a name that means nothing is said: with its tag. */
function spokenName(text: string): string {
  const reference = parseImageReference(text);
  return reference.ok && !/^(sha256:)?[0-9a-f]{64}$/.test(text) ? formatReference(reference.value) : text;
}

export const noSuchImage = (text: string): DockerError => new DockerError(404, `No such image: ${spokenName(text)}`);

const ID = /^(?:sha256:)?([0-9a-f]{1,64})$/;

/**
 * Id of the image that a text means: a whole id, a name, or the beginning of an id.
 * @throws DockerError 400 for what is neither, 404 where there is none
 */
export function imageIdOf(
  {
    images,
    repositories,
  }: { readonly images: readonly Pick<ImageRecord, 'id'>[]; readonly repositories: Repositories },
  text: string,
): string {
  const digits = ID.exec(text)?.[1];
  const whole = digits?.length === 64 && images.some(({ id }) => id === digits) ? digits : null;
  if (whole !== null) return whole;
  const tagged = digits?.length === 64 ? null : taggedId(repositories, text);
  if (tagged !== null) return tagged;
  const begins = digits === undefined ? [] : images.filter(({ id }) => id.startsWith(digits));
  const [only] = begins;
  if (only === undefined || begins.length > 1) throw noSuchImage(text);
  return only.id;
}
