/** What a build needs of the world: images, snapshots, commands, directories. */
import { createHash, randomBytes } from 'node:crypto';
import { chmod, chown, mkdir, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTree } from '../../../ffi/files/remove-tree.ts';
import { BuildCache } from '../../../images/build/cache.ts';
import { DOWNLOAD_LIMITS, Downloads } from '../../../images/build/downloads.ts';
import type { BaseImage, BuildHost } from '../../../images/build/host.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { familiarRepository, parseImageReference } from '../../../model/image-reference.ts';
import { parseKey, type ResourceKey, resourceKey } from '../../../model/resource.ts';
import type { ImageRecord } from '../../../state/images/image-record.ts';
import { loadContext, type ProgressSink } from '../images/image.ts';
import { imageReference, pullAndName } from '../images/image-pull.ts';
import type { World } from '../world.ts';
import { downloadNetwork } from './build-network.ts';
import { runCommand } from './build-run.ts';

/** What builds keep for later ones beside layers: which step led to which, downloads, directories of cache mounts. */
export const buildCacheOf = ({ instance }: Pick<World, 'instance'>): string => join(instance.root, 'build-cache');

/** @param own declared image: FROM may name the others of its app by their short names; null for none. */
export function buildHost(world: World, own: ResourceKey | null, progress: ProgressSink): BuildHost {
  const { tmpDir } = world.settings;
  const kept = buildCacheOf(world);
  const withDirectory = async <T>(work: (path: string) => Promise<T>): Promise<T> => {
    await mkdir(tmpDir, { recursive: true });
    const path = await mkdtemp(join(tmpDir, 'build-'));
    try {
      return await work(path);
    } finally {
      await removeTree(path);
    }
  };
  const downloads = new Downloads(join(kept, 'downloads'), DOWNLOAD_LIMITS, ({ host, pathname }, bytes, total) =>
    progress(`downloading ${host}${pathname}`, bytes, total),
  );
  return {
    load: loadContext(world, progress),
    cache: new BuildCache(join(kept, 'steps'), (chainId) => world.graph.exists(chainId)),
    now: () => world.clock.now().wallMs,
    withDirectory,
    baseImage: async (name, platform, signal) =>
      baseImage(world, declaredImage(world, own, name) ?? (await namedImage(world, name, platform, signal, progress))),
    withSnapshot: (parent, work) => {
      const id = randomBytes(32).toString('hex');
      return world.builds.using(id, async () => {
        await world.graph.createSnapshot(id, parent);
        try {
          return await work(id, world.graph.rootMount(id));
        } finally {
          await world.graph.remove(id);
        }
      });
    },
    download: (request, network, signal) => downloads.fetch(request, downloadNetwork(world, network), signal),
    run: (request, signal) => withDirectory((directory) => runCommand(world, request, directory, signal)),
    withCacheMount: async ({ id, locked, mode, uid, gid }, work) => {
      const path = join(kept, 'mounts', createHash('sha256').update(id).digest('hex'));
      const made = await mkdir(path, { recursive: true, mode: 0o700 });
      if (made !== undefined) {
        await chown(path, uid, gid);
        await chmod(path, mode);
      }
      return locked ? world.builds.alone(`cache ${id}`, () => work(path)) : work(path);
    },
  };
}

/** Another image that the same app declares. @throws TSD_IMAGE_MISSING while it is not here. */
function declaredImage(world: World, own: ResourceKey | null, name: string): ImageRecord | null {
  if (own === null || !/^[a-z0-9][a-z0-9-]*$/.test(name)) return null;
  const key = resourceKey('image', parseKey(own).app, name);
  if (key === own || !world.desired().resources.has(key)) return null;
  const bound = world.resources.images().find((binding) => binding.key === key);
  const image = bound === undefined ? undefined : world.images.get(bound.imageId);
  if (image !== undefined) return image;
  throw new TsdError('TSD_IMAGE_MISSING', `image ${name} of this app is not made yet`, {
    class: 'unavailable',
    hint: 'It is tried again by itself.',
  });
}

/** By its name or id on this host, else from its registry. */
async function namedImage(
  world: World,
  name: string,
  platform: string | null,
  signal: AbortSignal,
  progress: ProgressSink,
): Promise<ImageRecord> {
  const local = localImage(world, name);
  const [os, architecture] = platform?.split('/') ?? [local?.os, local?.architecture];
  if (local !== undefined && local.os === os && local.architecture === architecture) return local;
  const id = await pullAndName(world, imageReference(name), { platform, credentials: null, signal }, progress);
  const pulled = world.images.get(id);
  if (pulled === undefined) throw new TsdError('TSD_IMAGE_MISSING', `image ${name} was removed meanwhile`);
  return pulled;
}

function localImage(world: World, name: string): ImageRecord | undefined {
  const reference = parseImageReference(name);
  const familiar =
    reference.ok && reference.value.tag !== null && reference.value.digest === null
      ? world.repositories.get({ repository: familiarRepository(reference.value), tag: reference.value.tag })
      : null;
  if (familiar !== null) return world.images.get(familiar);
  try {
    return world.images.get(world.repositories.lookup(name, (prefix) => world.images.lookup(prefix).id));
  } catch (error) {
    if (error instanceof TsdError && error.class === 'not-found') return undefined;
    throw error;
  }
}

function baseImage(world: World, image: ImageRecord): BaseImage {
  const { Tsdocker: stored } = image;
  if (!stored) {
    throw new TsdError('TSD_IMAGE_MISSING', `image ${image.id.slice(0, 12)} was made by Docker 1.4`, {
      class: 'unsupported',
      hint: 'Save it with that Docker and load the archive here.',
    });
  }
  // No container needs it, and yet it is not what was needed least of late.
  world.imagesOfPast.noteMoment(image.id, world.clock.now().wallMs);
  const layers = (stored.Layers ?? []).map(({ ChainId, DiffId }) => ({ chainId: ChainId, diffId: DiffId }));
  return { id: image.id, configJson: stored.ConfigJson, layers };
}
