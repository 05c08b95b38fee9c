/** Removes a name of an image, or the image. */

import { parseImageReference } from '../../model/image-reference.ts';
import type { DockerParts } from '../docker-parts.ts';
import { digestName, findImage, noSuchImage } from './references.ts';
import { checkRemoval } from './removal.ts';

type Parts = Pick<DockerParts, 'api' | 'containers' | 'digests' | 'exec' | 'images' | 'repositories'>;

/** What has gone, in Docker's words. @throws DockerError 404, 409 */
export async function removeImage(parts: Parts, text: string, force: boolean) {
  const { api, containers, digests, exec, images, repositories } = parts;
  const { id, name } = findImage(parts, text);
  const parsed = parseImageReference(text);
  const byDigest = parsed.ok ? digestName(parsed.value) : null;
  const names = repositories.namesOf(id).map(({ repository, tag }) => `${repository}:${tag}`);
  const users = containers
    .all()
    .filter(({ imageId }) => imageId === id)
    .map((container) => ({ id: container.id, running: exec.running(container.id) !== null }));
  const withDigest = digests.namesOf(id);
  if (byDigest !== null && names.length + withDigest.length > 1) {
    await digests.delete(byDigest);
    return [{ Untagged: byDigest }];
  }
  const use = { id, names: byDigest === null ? names : [byDigest], containers: users };
  checkRemoval(use, { text, name: name ?? byDigest, force });
  const removed = await api.registry.removeImage({ image: name ?? id, force });
  if (removed.length === 0 && images.get(id) === undefined) throw noSuchImage(text);
  const isGone = images.get(id) === undefined;
  // Names with digests go with the last tag of their repository.
  const tagged = new Set(repositories.namesOf(id).map(({ repository }) => repository));
  const leaving = withDigest.filter((one) => isGone || (name !== null && isOfRepository(one, name, tagged)));
  for (const one of leaving) await digests.delete(one);
  return [
    ...removed.filter((one) => 'Untagged' in one),
    ...leaving.map((Untagged) => ({ Untagged })),
    ...(isGone ? [{ Deleted: `sha256:${id}` }] : []),
  ];
}

/** @param tagged repositories that the image still has a tag in */
function isOfRepository(digest: string, name: string, tagged: ReadonlySet<string>): boolean {
  const [repository = ''] = digest.split('@', 1);
  return name.slice(0, name.lastIndexOf(':')) === repository && !tagged.has(repository);
}
