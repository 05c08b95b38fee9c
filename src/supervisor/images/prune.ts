/** Gets some of the disk back: what nothing needs is removed when a person asks for it. */
import { existsSync } from 'node:fs';
import type { PruneRequest, PruneView } from '../../api/images/image-files.ts';
import { treeSize } from '../../drivers/graph/tree-size.ts';
import { removeTree } from '../../ffi/files/remove-tree.ts';
import { parseKey } from '../../model/resource.ts';
import { buildCacheOf } from '../../reconcile/ops/build/build-host.ts';
import type { Declared } from '../../reconcile/ops/declared.ts';
import type { ImageWork } from '../../reconcile/ops/images/image-work.ts';
import { type VolumeUsers, volumesLeftBehind } from '../../reconcile/ops/released-volumes.ts';
import type { VolumeStore } from '../../state/volumes/volumes.ts';
import { type CopyUsers, copiesNeeded } from '../sources/copies-in-use.ts';
import type { KeptContents } from '../sources/kept-contents.ts';
import { tagsOf } from './find-images.ts';
import { type GarbagePorts, garbage, removeGarbage } from './garbage.ts';
import { type LayerSizePorts, layerSize } from './layer-tree.ts';

export interface PrunePorts {
  readonly garbage: GarbagePorts & LayerSizePorts;
  readonly imageWork: Pick<ImageWork, 'pruning'>;
  readonly data: DataPorts;
  readonly copies: CopyPorts;
}

/** Volumes and their users. */
interface DataPorts extends VolumeUsers {
  readonly volumes: VolumeUsers['volumes'] & Pick<VolumeStore, 'remove'>;
}

/** Copies of files and their users. */
export interface CopyPorts {
  readonly kept: Pick<KeptContents, 'all' | 'unused' | 'remove'>;
  readonly users: CopyUsers & Declared;
}

/**
 * Removes unused images with their layers, and layers of no image, as builds leave them; with `all` also what
 * builds keep beside layers, copies of files that no kept generation needs, with `volumes` also data whose container is gone. No build runs meanwhile. With `dryRun` only
 * says what would go, with `listed` takes nothing but that.
 */
export function prune(ports: PrunePorts, request: PruneRequest): Promise<PruneView> {
  const { dryRun, listed } = request;
  const { garbage: images, imageWork, data, copies: kept } = ports;
  return imageWork.pruning(async () => {
    const found = garbage(images, request);
    const unnamed = found.images.map((id) => ({ id, tags: tagsOf(images.repositories, id) }));
    const layers: { id: string; bytes: number }[] = [];
    for (const id of found.layers) layers.push({ id, bytes: await layerSize(images, id) });
    const buildCache = buildCacheOf(images);
    // It is one thing to who reads the list: what a build added to it since goes with it.
    const withBuildCache = request.all && (listed === null || listed.buildCacheBytes > 0);
    const buildCacheBytes = withBuildCache && existsSync(buildCache) ? await treeSize(buildCache) : 0;
    const volumes = await pruneVolumes(data, request);
    const copies = pruneCopies(kept, request);
    const gone = dryRun ? found : await removeGarbage(images, { images: unnamed, layers });
    if (!dryRun && withBuildCache) await removeTree(buildCache);
    const removed = { images: new Set(gone.images), layers: new Set(gone.layers) };
    const goneLayers = layers.filter(({ id }) => removed.layers.has(id));
    const bytes = buildCacheBytes + sum([...goneLayers, ...volumes, ...copies].map((one) => one.bytes));
    const goneImages = unnamed.filter(({ id }) => removed.images.has(id));
    return { images: goneImages, layers: goneLayers, volumes, copies, buildCacheBytes, bytes };
  });
}

async function pruneVolumes(
  data: DataPorts,
  { volumes: wanted, listed, dryRun }: PruneRequest,
): Promise<PruneView['volumes']> {
  const pruned: PruneView['volumes'][number][] = [];
  if (!wanted) return pruned;
  // By id: the name has a part of it only.
  const approved = listed === null ? null : new Set(listed.volumes.map(({ id }) => id));
  for (const [key, { id, path, owner }] of volumesLeftBehind(data)) {
    if (approved !== null && !approved.has(id)) continue;
    const bytes = await treeSize(path);
    // A container may have come back for it meanwhile.
    if (volumesLeftBehind(data).get(key)?.id !== id) continue;
    if (!dryRun) await data.volumes.remove(id);
    const { app, name } = parseKey(key);
    pruned.push({ id, name: `${app}/${name}`, target: owner.type === 'anonymous' ? owner.target : '', bytes });
  }
  return pruned;
}

/** Copies of files that no kept generation and no container needs. */
function pruneCopies({ kept, users }: CopyPorts, { listed, dryRun }: PruneRequest): PruneView['copies'] {
  const approved = listed === null ? null : new Set(listed.copies.map(({ name }) => name));
  const unused = kept.unused(copiesNeeded(users));
  const gone = unused.filter(({ name }) => approved === null || approved.has(name));
  if (!dryRun) kept.remove(gone);
  return gone;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
