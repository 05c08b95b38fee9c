/** Names of images as clients write them: `nginx`, `docker.io/library/nginx:1`, `sha256:…`, the beginning of an id. */
import { TsdError } from '../../model/errors/errors.ts';
import {
  familiarRepository,
  formatReference,
  type ImageReference,
  parseImageReference,
} from '../../model/image-reference.ts';
import type { DigestNames } from '../../state/images/digest-names.ts';
import type { GraphIndex } from '../../state/images/graph-index.ts';
import type { RepositoryStore } from '../../state/images/repositories.ts';
import { DockerError } from '../wire/docker-error.ts';

export interface KnownImages {
  readonly images: Pick<GraphIndex, 'get' | 'lookup'>;
  readonly repositories: Pick<RepositoryStore, 'get' | 'namesOf'>;
  /** Left out, no name with a digest is known. */
  readonly digests?: Pick<DigestNames, 'get'>;
}

export interface FoundImage {
  /** 64 hex digits. */
  readonly id: string;
  /** `repository:tag` by which it was found; null: by its id. */
  readonly name: string | null;
}

/** @throws DockerError 400 with Docker's words */
export function referenceOf(text: string): ImageReference {
  const parsed = parseImageReference(text);
  if (parsed.ok) return parsed.value;
  const [repository = ''] = text.split(/[:@](?!.*\/)/);
  const isCase = repository !== repository.toLowerCase() && parseImageReference(text.toLowerCase()).ok;
  throw new DockerError(
    400,
    isCase ? `invalid reference format: repository name (${repository}) must be lowercase` : 'invalid reference format',
  );
}

/** `repository:tag` by which an image is kept here. */
export const nameOf = (reference: ImageReference): string =>
  `${familiarRepository(reference)}:${reference.tag ?? 'latest'}`;

/** `repository@sha256:…`, whatever tag is written beside it; null for a name without a digest. */
export const digestName = (reference: ImageReference): string | null =>
  reference.digest === null ? null : `${familiarRepository(reference)}@sha256:${reference.digest}`;

/** As Docker says the name back: with its tag. */
export const noSuchImage = (text: string): DockerError => {
  const parsed = /^(?:sha256:)?[0-9a-f]{64}$/.test(text) ? null : parseImageReference(text);
  return new DockerError(404, `No such image: ${parsed?.ok ? formatReference(parsed.value) : text}`);
};

/** The image that a client means. @throws DockerError 404, 400 for what cannot be a name or fits several ids */
export function findImage({ images, repositories, digests }: KnownImages, text: string): FoundImage {
  const [, full] = /^(?:sha256:)?([0-9a-f]{64})$/.exec(text) ?? [];
  if (full !== undefined) {
    if (images.get(full) === undefined) throw noSuchImage(text);
    return { id: full, name: null };
  }
  const parsed = parseImageReference(text);
  const byDigest = parsed.ok ? digestName(parsed.value) : null;
  if (byDigest !== null) {
    const id = digests?.get(byDigest) ?? null;
    if (id === null || images.get(id) === undefined) throw noSuchImage(text);
    return { id, name: null };
  }
  if (parsed.ok) {
    const name = { repository: familiarRepository(parsed.value), tag: parsed.value.tag ?? 'latest' };
    const id = repositories.get(name);
    if (id !== null) return { id, name: nameOf(parsed.value) };
  }
  const [, prefix] = /^(?:sha256:)?([0-9a-f]{1,63})$/.exec(text) ?? [];
  if (prefix !== undefined) return { id: idOf(images, prefix, text), name: null };
  if (!parsed.ok) referenceOf(text);
  throw noSuchImage(text);
}

function idOf(images: KnownImages['images'], prefix: string, text: string): string {
  try {
    return images.lookup(prefix).id;
  } catch (thrown) {
    if (thrown instanceof TsdError && thrown.code === 'TSD_NO_SUCH_RESOURCE') throw noSuchImage(text);
    throw thrown;
  }
}
