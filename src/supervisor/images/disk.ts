/** What images, containers, volumes and logs take on disk, and getting some of it back. */
import { existsSync, readdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { DiskUsageView, PruneRequest, PruneView, TreeNodeView } from '../../api/images/image-files.ts';
import { treeSize } from '../../drivers/graph/tree-size.ts';
import { removeTree } from '../../ffi/files/remove-tree.ts';
import { findGarbage, type Garbage, type GcInput, type Listing, limitedTo } from '../../images/gc.ts';
import { removeRecipe } from '../../images/recipe/recipe-path.ts';
import type { Desired } from '../../model/desired.ts';
import { parseKey } from '../../model/resource.ts';
import { buildCacheOf } from '../../reconcile/ops/build/build-host.ts';
import { recipesOf } from '../../reconcile/ops/images/image-intake.ts';
import { imageIdOf } from '../../reconcile/ops/images/image-of.ts';
import { volumesLeftBehind } from '../../reconcile/ops/released-volumes.ts';
import type { World } from '../../reconcile/ops/world.ts';
import type { History } from '../../state/history/history.ts';
import { copiesNeeded } from '../sources/copies-in-use.ts';
import type { KeptContents } from '../sources/kept-contents.ts';
import { tagsOf } from './find-images.ts';
import { logFiles } from './log-budget.ts';

type Disk = Pick<World, 'images' | 'graph' | 'containers'>;

/** Images that a container, a declaration or one of the last generations needs. */
function neededImages(world: World, history: History): ReadonlySet<string> {
  const declared = [...world.desired().resources.values()].flatMap((desired) =>
    desired.kind === 'container' ? [imageIdOf(world, desired as Desired<'container'>)] : [],
  );
  return new Set([
    ...world.containers.all().map(({ imageId }) => imageId),
    ...world.resources.images().map(({ imageId }) => imageId),
    ...declared.filter((id) => id !== null),
    ...history.images.neededBy(world.settings.keptGenerations),
  ]);
}

/** Images and layers there are, and which of them something needs. */
export function gcInput(world: World, history: History): Omit<GcInput, 'includeNamed'> {
  const images = world.images.all().map((image) => ({
    id: image.id,
    layers: [
      ...(image.parent === '' ? [] : [image.parent]),
      ...(image.Tsdocker?.Layers ?? []).map(({ ChainId }) => ChainId),
    ],
    names: tagsOf(world.repositories, image.id),
  }));
  const layersOfImages = new Set(images.flatMap(({ id, layers }) => [id, ...layers]));
  return {
    images,
    layers: world.graph.list(),
    neededImages: neededImages(world, history),
    // Images that cannot be read keep their layers: somebody may mend them.
    neededLayers: new Set([...world.images.layersInUse()].filter((id) => !layersOfImages.has(id))),
  };
}

/** @param request `listed`: all that it may be; null for no such limit */
function garbage(
  world: World,
  history: History,
  { all, listed }: { readonly all: boolean; readonly listed: Listing | null },
): Garbage {
  const input = { ...gcInput(world, history), includeNamed: all };
  return findGarbage(listed === null ? input : limitedTo(input, listed));
}

/**
 * Removes unused images with their layers, and layers of no image, as builds leave them; with `all` also what
 * builds keep beside layers, copies of files that no kept generation needs, with `volumes` also data whose container is gone. No build runs meanwhile. With `dryRun` only
 * says what would go, with `listed` takes nothing but that.
 */
export function prune(world: World, history: History, kept: KeptContents, request: PruneRequest): Promise<PruneView> {
  const { dryRun, listed } = request;
  return world.imageWork.pruning(async () => {
    const found = garbage(world, history, request);
    const images = found.images.map((id) => ({ id, tags: tagsOf(world.repositories, id) }));
    const layers: { id: string; bytes: number }[] = [];
    for (const id of found.layers) layers.push({ id, bytes: await layerSize(world, id) });
    const buildCache = buildCacheOf(world);
    // It is one thing to who reads the list: what a build added to it since goes with it.
    const withBuildCache = request.all && (listed === null || listed.buildCacheBytes > 0);
    const buildCacheBytes = withBuildCache && existsSync(buildCache) ? await treeSize(buildCache) : 0;
    const volumes = await pruneVolumes(world, request);
    const copies = pruneCopies(world, kept, request);
    const gone = dryRun ? found : await removeGarbage(world, history, { images, layers });
    if (!dryRun && withBuildCache) await removeTree(buildCache);
    const removed = { images: new Set(gone.images), layers: new Set(gone.layers) };
    const goneLayers = layers.filter(({ id }) => removed.layers.has(id));
    const bytes = buildCacheBytes + sum([...goneLayers, ...volumes, ...copies].map((one) => one.bytes));
    const goneImages = images.filter(({ id }) => removed.images.has(id));
    return { images: goneImages, layers: goneLayers, volumes, copies, buildCacheBytes, bytes };
  });
}

async function pruneVolumes(
  world: World,
  { volumes: wanted, listed, dryRun }: PruneRequest,
): Promise<PruneView['volumes']> {
  const pruned: PruneView['volumes'][number][] = [];
  if (!wanted) return pruned;
  // By id: the name has a part of it only.
  const approved = listed === null ? null : new Set(listed.volumes.map(({ id }) => id));
  for (const [key, { id, path, owner }] of volumesLeftBehind(world)) {
    if (approved !== null && !approved.has(id)) continue;
    const bytes = await treeSize(path);
    // A container may have come back for it meanwhile.
    if (volumesLeftBehind(world).get(key)?.id !== id) continue;
    if (!dryRun) await world.volumes.remove(id);
    const { app, name } = parseKey(key);
    pruned.push({ id, name: `${app}/${name}`, target: owner.type === 'anonymous' ? owner.target : '', bytes });
  }
  return pruned;
}

/** Copies of files that no kept generation and no container needs. */
function pruneCopies(world: World, kept: KeptContents, { listed, dryRun }: PruneRequest): PruneView['copies'] {
  const approved = listed === null ? null : new Set(listed.copies.map(({ name }) => name));
  const unused = kept.unused(copiesNeeded(world));
  const gone = unused.filter(({ name }) => approved === null || approved.has(name));
  if (!dryRun) kept.remove(gone);
  return gone;
}

function copiesUsage(world: World, kept: KeptContents): DiskUsageView['rows'][number] {
  const all = kept.all();
  const needed = copiesNeeded(world);
  return {
    type: 'pinned files',
    count: all.length,
    active: all.filter(({ name }) => needed.has(name)).length,
    bytes: sum(all.map(({ bytes }) => bytes)),
    reclaimable: sum(kept.unused(needed).map(({ bytes }) => bytes)),
  };
}

/**
 * Removes images and layers that were found to be garbage, and returns which have gone. What has come to be needed since,
 * or has another name by now, stays.
 */
export async function removeGarbage(world: World, history: History, { images, layers }: Listing): Promise<Garbage> {
  const still = (listed: Listing): Garbage => garbage(world, history, { all: true, listed });
  const gone: string[] = [];
  for (const image of images) {
    if (!still({ images: [image], layers: [] }).images.includes(image.id)) continue;
    for (const name of world.repositories.namesOf(image.id)) await world.repositories.delete(name);
    await world.images.remove(image.id);
    gone.push(image.id);
  }
  // Of the images that are left each stays, with its layers.
  const unused = still({ images: [], layers }).layers;
  for (const id of unused) {
    await world.graph.remove(id);
    removeRecipe(recipesOf(world), id);
  }
  return { images: gone, layers: unused };
}

/** Sizes of layers are in the records of the images they came with; what no record names is measured. */
export async function layerSize(world: Disk, id: string): Promise<number> {
  for (const { Tsdocker: stored } of world.images.all()) {
    const layer = stored?.Layers?.find(({ ChainId }) => ChainId === id);
    if (layer) return layer.Size;
  }
  return world.graph.exists(id) ? world.graph.size(id) : 0;
}

export async function diskUsage(world: World, history: History, kept: KeptContents): Promise<DiskUsageView> {
  const images = world.images.all();
  const layers = world.graph.list().filter(({ type }) => type === 'layer');
  const needed = neededImages(world, history);
  const unused = new Set(garbage(world, history, { all: true, listed: null }).layers);
  const containers = world.containers.all().filter(({ graphDriver }) => graphDriver === world.graph.name);
  const volumes = world.volumes.all();
  const layerBytes: { id: string; bytes: number }[] = [];
  for (const { id } of layers) layerBytes.push({ id, bytes: await layerSize(world, id) });
  const isRunning = (id: string): boolean => world.exec.running(id) !== null;
  const used = (path: string): boolean =>
    world.containers.all().some((container) => Object.values(container.volumes).some((volume) => volume.path === path));
  const stopped = containers.filter(({ id }) => !isRunning(id));
  const filesystem = statfsSync(world.instance.root);
  return {
    rows: [
      {
        type: 'images',
        count: images.length,
        active: images.filter(({ id }) => needed.has(id)).length,
        bytes: sum(layerBytes.map(({ bytes }) => bytes)),
        reclaimable: sum(layerBytes.filter(({ id }) => unused.has(id)).map(({ bytes }) => bytes)),
      },
      {
        type: 'containers',
        count: containers.length,
        active: containers.length - stopped.length,
        bytes: await total(containers, ({ snapshotId }) => snapshotSize(world, snapshotId)),
        reclaimable: null,
      },
      {
        type: 'volumes',
        count: volumes.length,
        active: volumes.filter(({ path }) => used(path)).length,
        bytes: await sizeOf(volumes),
        reclaimable: await sizeOf([...volumesLeftBehind(world).values()]),
      },
      {
        type: 'logs',
        count: containers.length,
        active: containers.length - stopped.length,
        bytes: sum(containers.flatMap(({ id }) => logFiles(world.containers, id)).map(({ bytes }) => bytes)),
        reclaimable: null,
      },
      copiesUsage(world, kept),
      await buildCacheUsage(world),
    ],
    filesystem: { bytes: filesystem.blocks * filesystem.bsize, free: filesystem.bavail * filesystem.bsize },
  };
}

const sizeOf = (volumes: readonly { readonly path: string }[]): Promise<number> =>
  total(volumes, ({ path }) => treeSize(path));

/** One after the other: each keeps the event loop for a while. */
async function total<T>(items: readonly T[], size: (item: T) => Promise<number>): Promise<number> {
  let bytes = 0;
  for (const item of items) bytes += await size(item);
  return bytes;
}

async function buildCacheUsage(world: World): Promise<DiskUsageView['rows'][number]> {
  const directory = buildCacheOf(world);
  const kinds = existsSync(directory) ? readdirSync(directory) : [];
  const count = sum(kinds.map((kind) => readdirSync(join(directory, kind)).length));
  const bytes = kinds.length === 0 ? 0 : await treeSize(directory);
  return { type: 'build cache', count, active: 0, bytes, reclaimable: bytes };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

async function snapshotSize(world: World, id: string): Promise<number> {
  return world.graph.exists(id) ? world.graph.size(id) : 0;
}

/** Layers with the layers and images on top of them. */
export async function imageTree(world: World): Promise<readonly TreeNodeView[]> {
  const layers = world.graph.list().filter(({ type }) => type === 'layer');
  const present = new Set(layers.map(({ id }) => id));
  const images = world.images.all().filter(({ Tsdocker: stored }) => stored !== null && stored !== undefined);
  const bytes = new Map<string, number>();
  for (const { id } of layers) bytes.set(id, await layerSize(world, id));
  const nodeOf = (id: string): TreeNodeView => ({
    id,
    type: 'layer',
    tags: [],
    size: bytes.get(id) ?? 0,
    children: childrenOf(id),
  });
  const childrenOf = (parent: string | null): TreeNodeView[] => [
    ...images
      .filter((image) => (image.parent === '' ? null : image.parent) === parent)
      .map(
        ({ id }): TreeNodeView => ({ id, type: 'image', tags: tagsOf(world.repositories, id), size: 0, children: [] }),
      ),
    ...layers
      .filter((layer) => (layer.parent !== null && present.has(layer.parent) ? layer.parent : null) === parent)
      .map(({ id }) => nodeOf(id)),
  ];
  return childrenOf(null);
}
