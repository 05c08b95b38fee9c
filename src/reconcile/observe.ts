/** What is, as one snapshot: container records, stores and what the drivers see in the kernel. */
import { statSync } from 'node:fs';
import type { NetworkConfig, ObservedEndpoint, ObservedNetworks } from '../drivers/contract.ts';
import type { Desired } from '../model/desired.ts';
import { describeError, TsdError } from '../model/errors.ts';
import type { ContainerSpec } from '../model/kinds/container.ts';
import type {
  ObservedContainer,
  ObservedExit,
  ObservedImage,
  ObservedNetwork,
  ObservedState,
  ObservedVolume,
  Orphan,
} from '../model/observed.ts';
import type { ResourceKey } from '../model/resource.ts';
import type { ContainerRecord, RecordedPort } from '../state/container-record.ts';
import { ASKED_ANEW } from '../state/history/resource-store.ts';
import { isUnknown } from '../state/restore.ts';
import { probesOf } from './health/probes-of.ts';
import { healthOf } from './health/verdict.ts';
import { declaredPorts } from './ops/endpoint.ts';
import { imageIdOf } from './ops/image-of.ts';
import { networkConfig } from './ops/network-config.ts';
import type { World } from './ops/world.ts';
import { findOrphans } from './plan/gc.ts';

/** How long the last run lasted, by the boot clock where both ends were in one boot: the wall clock may be set. */
function elapsed({ state }: ContainerRecord): number {
  const { startedAt, finishedAt, startedAtBootMs, finishedAtBootMs } = state;
  if (startedAt === null || finishedAt === null) return 0;
  if (startedAtBootMs !== null && finishedAtBootMs !== null) return Math.max(0, finishedAtBootMs - startedAtBootMs);
  return Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt));
}

function observedExit(record: ContainerRecord, bootId: string): ObservedExit | null {
  const { state, run } = record;
  if (run === 0 || state.finishedAt === null || state.status === 'running' || state.status === 'paused') return null;
  return {
    code: state.exitCode,
    oomKilled: state.oomKilled,
    finishedAtWallMs: Date.parse(state.finishedAt),
    finishedAtBootMs: state.bootId === bootId ? state.finishedAtBootMs : null,
    ranForMs: elapsed(record),
  };
}

const portName = ({ hostIp, hostPort, protocol }: RecordedPort): string => `${hostIp}:${hostPort}/${protocol}`;

/** What the kernel lacks of a container's endpoint. */
function endpointDrift(record: ContainerRecord, endpoint: ObservedEndpoint | undefined): string[] {
  if (record.network === null || !endpoint?.hostInterface) return ['veth missing'];
  const drift: string[] = [];
  if (endpoint.bridge !== record.network.bridge) drift.push(`veth not on ${record.network.bridge}`);
  if (!endpoint.up) drift.push('veth down');
  const seen = new Set(endpoint.ports.map(portName));
  for (const port of record.network.ports) if (!seen.has(portName(port))) drift.push(`port ${portName(port)} missing`);
  return drift;
}

function isBridged({ network }: ContainerSpec): boolean {
  return network !== 'none' && network !== 'host' && !network.startsWith('container:');
}

function observedContainer(world: World, record: ContainerRecord, kernel: ObservedNetworks | null): ObservedContainer {
  const { owner, state, id } = record;
  const spec = owner?.written as unknown as ContainerSpec | undefined;
  const bridged = spec !== undefined && isBridged(spec);
  // A namespace without its endpoint is what an interrupted connect leaves: not a sandbox to start in.
  const sandbox = world.network.sandbox(id) !== null && (!bridged || record.network !== null);
  const handle = world.exec.running(id);
  const probes = probesOf(world, record);
  return {
    key: owner?.key ?? null,
    id,
    engineName: record.engineName,
    specHash: owner?.specHash ?? '',
    spec,
    contentHashes: owner?.contentHashes ?? {},
    imageId: record.imageId === '' ? null : record.imageId,
    available: record.graphDriver === world.graph.name && record.execDriver === world.exec.name && owner !== null,
    unknown: isUnknown(record),
    run: record.run,
    running: handle !== null,
    paused: state.status === 'paused',
    pid: handle?.pid ?? null,
    startedAtWallMs: state.startedAt === null ? null : Date.parse(state.startedAt),
    startedAtBootMs: state.bootId === world.bootId ? state.startedAtBootMs : null,
    exit: handle ? null : observedExit(record, world.bootId),
    startError: state.startError,
    sandbox,
    drift: kernel && sandbox && bridged ? endpointDrift(record, kernel.endpoints.get(id)) : [],
    restarts: { restarts: record.restart.restarts, consecutive: record.restart.consecutive },
    stopOverride: record.stopOverride !== null,
    restartRequested: record.restart.requested,
    linkAddresses: record.linkAddresses,
    address: record.network?.address ?? null,
    health: probes && healthOf(world.health.get(id), probes, record.run),
  };
}

function observedImages(world: World): Map<ResourceKey, ObservedImage> {
  return new Map(
    world.resources.images().map(({ key, specHash, imageId, sourceFingerprint }) => {
      const image = world.images.get(imageId);
      const complete = image !== undefined && (image.parent === '' || world.graph.exists(image.parent));
      // A manifest pins the image it was applied with: a changed source counts at the next edit or refresh (DESIGN §13.6).
      const current = sourceFingerprint !== ASKED_ANEW;
      return [key, { key, specHash, imageId: complete ? imageId : null, current }];
    }),
  );
}

function observedVolumes(world: World): Map<ResourceKey, ObservedVolume> {
  const volumes = new Map<ResourceKey, ObservedVolume>();
  for (const { id, owner, specHash, released, onRemove } of world.volumes.all()) {
    if (owner.type === 'named') volumes.set(owner.key, { key: owner.key, specHash, volumeId: id, released, onRemove });
  }
  return volumes;
}

function isHealthy(config: NetworkConfig, kernel: ObservedNetworks | null): boolean {
  if (kernel === null) return true;
  if (!kernel.rules) return false;
  if (config.foreign) return true;
  const bridge = kernel.bridges.find((candidate) => candidate.bridge === config.bridge);
  return bridge?.up === true && bridge.addresses.some((address) => address.startsWith(`${config.gateway}/`));
}

function observedNetworks(world: World, kernel: ObservedNetworks | null): Map<ResourceKey, ObservedNetwork> {
  const networks = new Map<ResourceKey, ObservedNetwork>();
  const fallback = world.defaultNetwork();
  if (fallback) {
    const key = fallback.key as ResourceKey;
    networks.set(key, {
      key,
      specHash: '',
      spec: {},
      bridge: fallback.bridge,
      subnet: fallback.subnet,
      healthy: isHealthy(fallback, kernel),
    });
  }
  for (const record of world.resources.networks()) {
    const { key, specHash, written, bridge, subnet } = record;
    const healthy = isHealthy(networkConfig(world, record), kernel);
    networks.set(key, { key, specHash, spec: written, bridge, subnet, healthy });
  }
  return networks;
}

function orphans(world: World, kernel: ObservedNetworks): Orphan[] {
  const containers = world.containers.ids();
  const bridges = new Set([world.defaultNetwork()?.key, ...world.resources.networks().map(({ key }) => key)]);
  const layers = world.images.layersInUse();
  const volumes = world.volumes.ids();
  const held = new Set([...world.containers.all().map(({ owner }) => owner?.key), ...world.desired().resources.keys()]);
  const snapshots = world.graph
    .list()
    .filter(({ id, type }) => type === 'snapshot' && !layers.has(id) && !volumes.has(id));
  return findOrphans(
    {
      process: world.exec.list(),
      sandbox: kernel.endpoints.keys(),
      bridge: kernel.bridges.map(({ key }) => key),
      snapshot: snapshots.map(({ id }) => id),
      lease: world.leases.owners(),
      state: world.links.entities(),
    },
    (type, id) => {
      if (type === 'bridge') return bridges.has(id as ResourceKey);
      if (type === 'lease') return held.has(id as ResourceKey);
      return containers.has(id);
    },
  );
}

/** Why a container could not be started just now; asked only of those that do not run. */
function obstacle(world: World, desired: Desired<'container'>, record: ContainerRecord | undefined): string | null {
  for (const [index, mount] of desired.spec.volumes.entries()) {
    if (mount.type !== 'bind' || mount.source === null) continue;
    if (statSync(mount.source, { throwIfNoEntry: false })) continue;
    const source = desired.positions[`volumes.${index}`] ?? desired.source;
    return describeError(new TsdError('TSD_BIND_SOURCE', `bind source ${mount.source} does not exist`, { source }));
  }
  if (desired.references.image === null && imageIdOf(world, desired) === null) {
    return describeError(
      new TsdError('TSD_IMAGE_MISSING', `image ${desired.spec.image} is not on this host`, {
        source: desired.positions.image ?? desired.source,
      }),
    );
  }
  const held = new Set(record?.network?.ports.map(portName));
  for (const [index, port] of declaredPorts(world, desired)) {
    if (held.has(portName(port))) continue;
    try {
      world.network.checkPort(port);
    } catch (error) {
      if (!(error instanceof TsdError)) throw error;
      return describeError(error.withContext({ source: desired.positions[`ports.${index}`] ?? desired.source }));
    }
  }
  return null;
}

function obstacles(world: World, scope: ReadonlySet<ResourceKey> | null): Map<ResourceKey, string> {
  const found = new Map<ResourceKey, string>();
  for (const desired of world.desired().resources.values()) {
    if (desired.kind !== 'container' || (scope !== null && !scope.has(desired.key))) continue;
    const container = desired as Desired<'container'>;
    const record = world.containers.byKey(desired.key);
    if (record && world.exec.running(record.id) && record.owner?.specHash === desired.specHash) continue;
    const reason = obstacle(world, container, record);
    if (reason !== null) found.set(desired.key, reason);
  }
  return found;
}

/**
 * Reads everything of ours.
 * @param scope keys whose obstacles are looked for. Null looks at everything: obstacles of all, orphans, and what the
 * kernel has of networks and endpoints, which is one dump whatever their number and too much for every small look.
 */
export function observe(world: World, scope: ReadonlySet<ResourceKey> | null): ObservedState {
  const kernel = scope === null ? world.network.observe() : null;
  const containers = new Map<ResourceKey, ObservedContainer>();
  for (const record of world.containers.all()) {
    if (record.owner) containers.set(record.owner.key, observedContainer(world, record, kernel));
  }
  return {
    images: observedImages(world),
    volumes: observedVolumes(world),
    networks: observedNetworks(world, kernel),
    containers,
    orphans: kernel === null ? [] : orphans(world, kernel),
    failures: new Map(world.failures.all()),
    approvals: world.approvals.all() as ReadonlySet<ResourceKey>,
    obstacles: obstacles(world, scope),
  };
}
