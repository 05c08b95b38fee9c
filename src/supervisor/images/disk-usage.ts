/** What images, containers, volumes and logs take on disk. */
import { existsSync, readdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { DiskUsageView } from '../../api/images/image-files.ts';
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import { treeSize } from '../../drivers/graph/tree-size.ts';
import { buildCacheOf } from '../../reconcile/ops/build/build-host.ts';
import { type VolumeUsers, volumesLeftBehind } from '../../reconcile/ops/released-volumes.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { copiesNeeded } from '../sources/copies-in-use.ts';
import { type GarbagePorts, garbage, neededImages } from './garbage.ts';
import { type LayerSizePorts, layerSize, snapshotSize } from './layer-tree.ts';
import { logFiles } from './log-budget.ts';
import type { CopyPorts } from './prune.ts';

type UsageRow = DiskUsageView['rows'][number];

export interface DiskUsagePorts {
  readonly garbage: GarbagePorts & LayerSizePorts & { readonly graph: { readonly name: string } };
  readonly containers: Pick<ContainerStore, 'all' | 'path'>;
  readonly exec: Pick<ExecDriver, 'running'>;
  readonly data: VolumeUsers;
  readonly copies: CopyPorts;
}

export async function diskUsage(ports: DiskUsagePorts): Promise<DiskUsageView> {
  const { garbage: store, exec, data, copies } = ports;
  const images = store.images.all();
  const layers = store.graph.list().filter(({ type }) => type === 'layer');
  const needed = neededImages(store.imageUsers);
  const unused = new Set(garbage(store, { all: true, listed: null }).layers);
  const containers = ports.containers.all().filter(({ graphDriver }) => graphDriver === store.graph.name);
  const volumes = data.volumes.all();
  const layerBytes: { id: string; bytes: number }[] = [];
  for (const { id } of layers) layerBytes.push({ id, bytes: await layerSize(store, id) });
  const isRunning = (id: string): boolean => exec.running(id) !== null;
  const used = (path: string): boolean =>
    ports.containers.all().some((container) => Object.values(container.volumes).some((volume) => volume.path === path));
  const stopped = containers.filter(({ id }) => !isRunning(id));
  const filesystem = statfsSync(store.instance.root);
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
        bytes: await total(containers, ({ snapshotId }) => snapshotSize(store.graph, snapshotId)),
        reclaimable: null,
      },
      {
        type: 'volumes',
        count: volumes.length,
        active: volumes.filter(({ path }) => used(path)).length,
        bytes: await sizeOf(volumes),
        reclaimable: await sizeOf([...volumesLeftBehind(data).values()]),
      },
      {
        type: 'logs',
        count: containers.length,
        active: containers.length - stopped.length,
        bytes: sum(containers.flatMap(({ id }) => logFiles(ports.containers, id)).map(({ bytes }) => bytes)),
        reclaimable: null,
      },
      copiesUsage(copies),
      await buildCacheUsage(store),
    ],
    filesystem: { bytes: filesystem.blocks * filesystem.bsize, free: filesystem.bavail * filesystem.bsize },
  };
}

function copiesUsage({ kept, users }: CopyPorts): UsageRow {
  const all = kept.all();
  const needed = copiesNeeded(users);
  return {
    type: 'pinned files',
    count: all.length,
    active: all.filter(({ name }) => needed.has(name)).length,
    bytes: sum(all.map(({ bytes }) => bytes)),
    reclaimable: sum(kept.unused(needed).map(({ bytes }) => bytes)),
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

async function buildCacheUsage(store: Pick<GarbagePorts, 'instance'>): Promise<UsageRow> {
  const directory = buildCacheOf(store);
  const kinds = existsSync(directory) ? readdirSync(directory) : [];
  const count = sum(kinds.map((kind) => readdirSync(join(directory, kind)).length));
  const bytes = kinds.length === 0 ? 0 : await treeSize(directory);
  return { type: 'build cache', count, active: 0, bytes, reclaimable: bytes };
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
