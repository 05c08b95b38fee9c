/** Removes a name of an image, or the image. */
import type { DockerParts } from '../docker-parts.ts';
import { findImage, noSuchImage } from './references.ts';
import { checkRemoval } from './removal.ts';

type Parts = Pick<DockerParts, 'api' | 'containers' | 'exec' | 'images' | 'repositories'>;

/** What has gone, in Docker's words. @throws DockerError 404, 409 */
export async function removeImage(parts: Parts, text: string, force: boolean) {
  const { api, containers, exec, images, repositories } = parts;
  const { id, name } = findImage({ images, repositories }, text);
  const names = repositories.namesOf(id).map(({ repository, tag }) => `${repository}:${tag}`);
  const users = containers
    .all()
    .filter(({ imageId }) => imageId === id)
    .map((container) => ({ id: container.id, running: exec.running(container.id) !== null }));
  checkRemoval({ id, names, containers: users }, { text, name, force });
  const removed = await api.registry.removeImage({ image: name ?? id, force });
  if (removed.length === 0 && images.get(id) === undefined) throw noSuchImage(text);
  return removed.map((one) => ('Deleted' in one ? { Deleted: `sha256:${one.Deleted}` } : one));
}
