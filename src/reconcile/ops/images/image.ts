import { join } from 'node:path';
import type { ImageProgress, LoadContext, LoadedImage } from '../../../images/image.ts';
import { removeRecipe } from '../../../images/recipe/recipe-path.ts';
import type { Desired } from '../../../model/desired.ts';
import { parseImageReference } from '../../../model/image-reference.ts';
import { RUN_CONFIG, type RunConfig } from '../../../state/containers/run-config.ts';
import type { ImageRecord } from '../../../state/images/image-record.ts';
import type { OpOf } from '../../op.ts';
import type { World } from '../world.ts';
import { imageSize } from './image-size.ts';

function runConfig({ config }: LoadedImage): RunConfig {
  return {
    ...RUN_CONFIG.zero(),
    User: config.user,
    ExposedPorts: Object.fromEntries(config.exposedPorts.map((port) => [port, {}])),
    Env: [...config.env],
    Cmd: config.cmd ? [...config.cmd] : null,
    Volumes: Object.fromEntries(config.volumes.map((path) => [path, {}])),
    WorkingDir: config.workingDir,
    Entrypoint: config.entrypoint ? [...config.entrypoint] : null,
  };
}

/**
 * graph/<id>/json of a loaded image: an empty diff on top of its last layer.
 * @param size bytes of all its layers, as Docker counts them
 */
export function imageRecord(image: LoadedImage, version: string, size: number): ImageRecord {
  const config = runConfig(image);
  return {
    id: image.id,
    parent: image.topLayer ?? '',
    comment: '',
    created: image.created,
    container: '',
    container_config: RUN_CONFIG.zero(),
    docker_version: version,
    author: '',
    config,
    architecture: image.architecture,
    os: image.os,
    checksum: '',
    Size: size,
    Tsdocker: {
      Layers: image.layers.map(({ chainId, diffId, size }) => ({ ChainId: chainId, DiffId: diffId, Size: size })),
      ConfigJson: image.configJson,
      Labels: { ...image.config.labels },
      StopSignal: image.config.stopSignal ?? '',
    },
  };
}

export type ProgressSink = (message: string, current: number, total: number | null) => void;

function report(progress: ProgressSink, event: ImageProgress): void {
  switch (event.type) {
    case 'reading':
      progress(`reading ${event.what}`, 0, null);
      return;
    case 'download':
      progress(`downloading ${event.digest.slice(0, 12)}`, event.bytes, event.total);
      return;
    case 'layer-exists':
      progress(`layer ${event.chainId.slice(0, 12)} exists`, 0, null);
      return;
    case 'layer-progress':
      progress(`layer ${event.chainId.slice(0, 12)}`, event.bytes, event.total);
      return;
    case 'layer-done':
      // Its bytes are those of the tar, not of what was read.
      progress(`layer ${event.chainId.slice(0, 12)} done`, 1, 1);
      return;
  }
}

/** Where the root directory keeps how to put the tars of its layers together again. */
export function recipesOf(world: Pick<World, 'instance'>): string {
  return join(world.instance.root, 'recipes');
}

export function loadContext(world: World, progress: ProgressSink, signal?: AbortSignal): LoadContext {
  return {
    graph: world.graph,
    work: world.imageWork.layers,
    tmpDir: join(world.settings.tmpDir, 'images'),
    recipes: recipesOf(world),
    progress: (event) => report(progress, event),
    signal,
  };
}

/** For images of files, which have no registry to ask for signatures: names that the policy wants signed are refused. */
export function archiveContext(world: World, progress: ProgressSink, signal?: AbortSignal): LoadContext {
  const admit = (references: readonly string[]): void => {
    for (const text of references) {
      const reference = parseImageReference(text);
      if (reference.ok) world.trustPolicy.admitFile(reference.value);
    }
  };
  return { ...loadContext(world, progress, signal), admit };
}

/** Records an image whose layers are in the graph, durably and without a name. */
export async function recordImage(world: World, image: LoadedImage): Promise<void> {
  if (world.images.get(image.id) !== undefined) return;
  const record = imageRecord(image, world.settings.version, await imageSize(world, image.layers));
  await world.commits.commit({ files: (batch) => world.images.add(record, batch) });
}

/** The name under which an image of a manifest appears in `images` and repositories-<driver>. */
export function imageName({ app, name }: Pick<Desired<'image'>, 'app' | 'name'>): { repository: string; tag: string } {
  return { repository: `${app}/${name}`, tag: 'latest' };
}

/**
 * Gives up the name of an image that no manifest declares. An image that nothing else names or uses is removed, unless a
 * rollback needs it, or images are being made just now, whose layers may be its own: then collection finds it later.
 */
export async function releaseImage(world: World, op: OpOf<'image.release'>): Promise<void> {
  const [, app = '', name = ''] = op.key.split('/');
  const imageId = world.resources.images().find(({ key }) => key === op.key)?.imageId ?? null;
  await world.repositories.delete(imageName({ app, name }));
  world.resources.removeImage(op.key);
  if (imageId === null || isOfKeptGeneration(world, imageId)) return;
  await world.imageWork.pruningIfIdle(() => removeUnusedImage(world, imageId));
}

/** Whether a rollback to one of the generations that are kept needs the image. */
export function isOfKeptGeneration(world: World, imageId: string): boolean {
  return world.imagesOfPast.neededBy(world.settings.keptGenerations).has(imageId);
}

/** Removes an image that nothing names, declares or uses, with the layers that are only its own. */
export async function removeUnusedImage(world: World, imageId: string): Promise<void> {
  const used =
    world.repositories.namesOf(imageId).length > 0 ||
    world.resources.images().some((image) => image.imageId === imageId) ||
    world.containers.all().some((container) => container.imageId === imageId);
  const layers = world.images.get(imageId)?.Tsdocker?.Layers ?? [];
  if (used) return;
  await world.images.remove(imageId);
  const needed = world.images.layersInUse();
  const snapshots = new Set(world.containers.all().map(({ topLayer }) => topLayer));
  for (const { ChainId } of [...layers].reverse()) {
    if (needed.has(ChainId) || snapshots.has(ChainId)) return;
    // Steps of a build that are in no image: collection knows about them.
    if (world.graph.list().some(({ parent }) => parent === ChainId)) return;
    await world.graph.remove(ChainId);
    removeRecipe(recipesOf(world), ChainId);
  }
}
