/** GET /system/df. */
import { listContainers } from '../containers/list.ts';
import type { DockerParts } from '../docker-parts.ts';
import { imageSummary, sharedBytesOf } from '../images/image-json.ts';
import { tagsById } from '../images/image-names.ts';
import { volumeFacts } from '../volumes/volume-facts.ts';
import { volumeJson } from '../volumes/volume-json.ts';
import { DockerError } from '../wire/docker-error.ts';
import { Query } from '../wire/query.ts';

const TYPES = ['container', 'image', 'volume', 'build-cache'];

type Shape = Readonly<Record<string, unknown>>;

/** Bytes of all layers, each once. */
function layersSize({ images }: DockerParts): number {
  const sizes = new Map(
    images
      .all()
      .flatMap(({ Tsdocker }) => (Tsdocker?.Layers ?? []).map(({ ChainId, Size }) => [ChainId, Size] as const)),
  );
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

function imageUsage({ images, repositories, digests, containers }: DockerParts): readonly Shape[] {
  const tags = tagsById(repositories.all());
  const all = images.all();
  const users = containers.all();
  return all.map((image) =>
    imageSummary({
      image,
      tags: tags.get(image.id) ?? [],
      digests: digests.namesOf(image.id),
      sharedBytes: sharedBytesOf(image, all),
      containers: users.filter(({ imageId }) => imageId === image.id).length,
    }),
  );
}

async function volumeUsage(docker: DockerParts): Promise<readonly Shape[]> {
  const users = docker.containers.all().map(({ volumes }) => Object.values(volumes).map(({ path }) => path));
  const found: Shape[] = [];
  for (const volume of docker.volumes.all()) {
    const facts = volumeFacts(docker, volume);
    if (facts === null) continue;
    const RefCount = users.filter((paths) => paths.includes(volume.path)).length;
    found.push({ ...volumeJson(facts), UsageData: { RefCount, Size: await docker.treeSize(volume.path) } });
  }
  return found;
}

/** @param types what is asked for; none means all @throws DockerError 400 */
export async function diskUsage(docker: DockerParts, types: readonly string[]): Promise<Shape> {
  const unknown = types.find((type) => !TYPES.includes(type));
  if (unknown !== undefined) throw new DockerError(400, `unknown object type: ${unknown}`);
  const has = (type: string): boolean => types.length === 0 || types.includes(type);
  return {
    LayersSize: has('image') ? layersSize(docker) : 0,
    Images: has('image') ? imageUsage(docker) : null,
    Containers: has('container') ? await listContainers(docker, new Query('all=1&size=1')) : null,
    Volumes: has('volume') ? await volumeUsage(docker) : null,
    BuildCache: has('build-cache') ? [] : null,
  };
}
