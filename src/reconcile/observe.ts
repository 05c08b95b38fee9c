/** What is, as one snapshot: container records, stores and what the drivers see in the kernel. */

import type { TaskHandle } from '../drivers/contract/exec.ts';
import type { ObservedEndpoint, ObservedNetworks } from '../drivers/contract/network.ts';
import type { Instant } from '../model/clock.ts';
import type { HealthRecord, ProbeSet } from '../model/health.ts';
import { append } from '../model/lists.ts';
import { isBridged, networkMode } from '../model/network-mode.ts';
import type {
  ObservedContainer,
  ObservedExit,
  ObservedImage,
  ObservedNetwork,
  ObservedState,
  ObservedVolume,
} from '../model/observed.ts';
import type { ResourceKey } from '../model/resource.ts';
import type { ContainerRecord } from '../state/containers/container-record.ts';
import { containerSpecOf } from '../state/containers/written-spec.ts';
import { NEWLY_PINNED, REBUILD_REQUESTED, REFRESH_REQUESTED } from '../state/history/resource-store.ts';
import { isUnknown } from '../state/restore.ts';
import { healthchecks, probesOf } from './health/probes-of.ts';
import { healthOf } from './health/verdict.ts';
import { portName, portsOfOtherDeclaration } from './observed-port.ts';
import { stopEnd, tookAway } from './ops/containers/stop-override.ts';
import { isCutOff } from './ops/networks/endpoint.ts';
import { volumesLeftBehind } from './ops/released-volumes.ts';
import type { World } from './ops/world.ts';
import { orphans } from './orphans.ts';
import { DEFAULT_NETWORK } from './plan/references.ts';
import { outlook } from './preflight.ts';
import { SeenContainers } from './seen-containers.ts';
import { unreadImage, unreadVolumes } from './unread-state.ts';

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

/** What the kernel lacks of a container's endpoint, or has of a declaration that did not come into force. */
function endpointDrift(
  { network, owner, state }: Pick<ContainerRecord, 'network' | 'owner' | 'state'>,
  endpoint: ObservedEndpoint | undefined,
): string[] {
  if (network === null || endpoint === undefined) return ['endpoint missing'];
  const drift = [...endpoint.drift];
  if (!endpoint.connected) return drift;
  // One that does not run has given its ports back, or is about to.
  if (state.status !== 'running' && state.status !== 'paused') return drift;
  if (owner !== null) append(drift, portsOfOtherDeclaration(owner, network.ports));
  if (network.ports.length === 0) return drift;
  const seen = new Set(endpoint.ports.map(portName));
  for (const port of network.ports) if (!seen.has(portName(port))) drift.push(`port ${portName(port)} missing`);
  return drift;
}

/** Returns what is missing now, or was at the last kernel observation and has not been repaired since. */
function remembered(
  world: World,
  key: ResourceKey,
  kernel: unknown,
  missing: () => readonly string[],
): readonly string[] {
  if (kernel === null) return world.drifts.of(key);
  const found = missing();
  world.drifts.record(key, found);
  return found;
}

function observedStop(
  record: ContainerRecord,
  exit: ObservedExit | null,
  now: Instant,
  { bootId, leftDown }: Pick<World, 'bootId' | 'leftDown'>,
): Pick<ObservedContainer, 'stopOverride' | 'leftDown' | 'stopHash' | 'stopUntil' | 'stopExpired' | 'stopTimeoutMs'> {
  const until = stopEnd(record, now, bootId);
  const over = until !== null && until.bootMs <= now.bootMs;
  const { stopOverride } = record;
  const stopped = stopOverride !== null && !over;
  const left = !stopped && leftDown.has(record.id);
  return {
    stopOverride: stopped || left,
    leftDown: left,
    stopHash: stopOverride?.specHash ?? null,
    stopUntil: until,
    stopExpired: over && exit !== null && stopOverride !== null && tookAway(stopOverride, exit, bootId),
    stopTimeoutMs: record.stopTimeoutMs,
  };
}

/** What a container looks like beside its record; by this alone it may look otherwise while the record stays. */
interface Facts {
  readonly world: World;
  /** The last look at its endpoint in the kernel, and what that lacked. */
  readonly seen: { readonly endpoint: ObservedEndpoint | undefined; readonly lacks: readonly string[] } | undefined;
  readonly handle: TaskHandle | null;
  readonly leftDown: boolean;
  readonly sandbox: boolean;
  readonly drift: readonly string[];
  readonly unanswered: string | undefined;
  readonly unrecorded: string | null;
  readonly probes: ProbeSet | null;
  readonly health: HealthRecord | undefined;
}

/** The driver gives the same endpoint while nothing of any of them changed. */
function lookedAt(
  record: ContainerRecord,
  endpoint: ObservedEndpoint | undefined,
  before: Facts['seen'],
): NonNullable<Facts['seen']> {
  if (before && before.endpoint === endpoint) return before;
  return { endpoint, lacks: endpointDrift(record, endpoint) };
}

function factsOf(
  world: World,
  record: ContainerRecord,
  kernel: ObservedNetworks | null,
  last: Facts | undefined,
): Facts {
  const { owner, id } = record;
  const spec = owner ? containerSpecOf(owner) : undefined;
  const bridged = spec !== undefined && isBridged(networkMode(spec.network)) && !isCutOff(world, spec);
  // A namespace without its endpoint is what an interrupted connect leaves: not a sandbox to start in.
  const sandbox = world.network.sandbox(id) !== null && (!bridged || record.network !== null);
  const seen = kernel === null ? last?.seen : lookedAt(record, kernel.endpoints.get(id), last?.seen);
  return {
    world,
    seen,
    handle: world.exec.running(id),
    leftDown: world.leftDown.has(id),
    sandbox,
    drift: sandbox && bridged && owner ? remembered(world, owner.key, kernel, () => seen?.lacks ?? []) : [],
    unanswered: world.unanswered.get(id),
    unrecorded: world.exec.unrecorded(id),
    probes: probesOf(world.images, record),
    health: world.health.get(id),
  };
}

function areSame(a: Facts, b: Facts): boolean {
  return (
    a.world === b.world &&
    a.handle === b.handle &&
    a.leftDown === b.leftDown &&
    a.sandbox === b.sandbox &&
    a.drift.length === b.drift.length &&
    a.drift.every((text, index) => text === b.drift[index]) &&
    a.unanswered === b.unanswered &&
    a.unrecorded === b.unrecorded &&
    a.probes === b.probes &&
    a.health === b.health
  );
}

/** As last seen. Records never change, and most containers look for days as they did before. */
const lastSeen = new WeakMap<ContainerRecord, { facts: Facts; readonly container: ObservedContainer }>();

/** @param kernel what the network driver sees; null leaves drift out */
export function observedContainer(
  world: World,
  record: ContainerRecord,
  kernel: ObservedNetworks | null,
  now: Instant = world.clock.now(),
): ObservedContainer {
  const last = lastSeen.get(record);
  const facts = factsOf(world, record, kernel, last?.facts);
  // A stop may be over by now.
  if (last && record.stopOverride === null && areSame(last.facts, facts)) {
    last.facts = facts;
    return last.container;
  }
  const container = seenNow(record, facts, now);
  lastSeen.set(record, { facts, container });
  return container;
}

function seenNow(record: ContainerRecord, facts: Facts, now: Instant): ObservedContainer {
  const { world, handle, sandbox, drift, unanswered, probes, health } = facts;
  const { owner, state } = record;
  const exit = handle ? null : observedExit(record, world.bootId);
  return {
    key: owner?.key ?? null,
    id: record.id,
    engineName: record.engineName,
    specHash: owner?.specHash ?? '',
    spec: owner ? containerSpecOf(owner) : undefined,
    contentHashes: owner?.contentHashes ?? {},
    imageId: record.imageId === '' ? null : record.imageId,
    available: record.graphDriver === world.graph.name && record.execDriver === world.exec.name && owner !== null,
    unknown: isUnknown(record) ? (unanswered ?? 'nobody has asked yet whether it still runs') : null,
    unrecorded: facts.unrecorded,
    run: record.run,
    running: handle !== null,
    paused: state.status === 'paused',
    pid: handle?.pid ?? null,
    startedAtWallMs: state.startedAt === null ? null : Date.parse(state.startedAt),
    startedAtBootMs: state.bootId === world.bootId ? state.startedAtBootMs : null,
    exit,
    startError: state.startError,
    sandbox,
    published: (record.network?.ports.length ?? 0) > 0,
    drift,
    restarts: { restarts: record.restart.restarts, consecutive: record.restart.consecutive },
    ...observedStop(record, exit, now, world),
    restartRequested: record.restart.requested,
    afterShutdown: record.restart.afterShutdown ?? false,
    linkAddresses: record.linkAddresses,
    envAddresses: record.envAddresses,
    dependencyRuns: record.dependencyRuns,
    address: record.network?.address ?? null,
    health: probes && healthOf(health, probes, record.run),
  };
}

/** Reads something that may have to come from the disk; `otherwise` is for who goes on where that fails. */
export type Reading = <T>(read: () => T, otherwise: T) => T;

function observedImages(world: World, reading: Reading): Map<ResourceKey, ObservedImage> {
  return new Map(
    world.resources.images().map(({ key, specHash, imageId, sourceFingerprint, bases }) => {
      const image = world.images.get(imageId);
      const hasLayers = ({ parent }: { parent: string }) => parent === '' || world.graph.exists(parent);
      const complete = image !== undefined && reading(() => hasLayers(image), true);
      // A manifest pins the image it was applied with: a changed source counts at the next edit or refresh.
      const current = ![REFRESH_REQUESTED, REBUILD_REQUESTED, NEWLY_PINNED].includes(sourceFingerprint);
      const unread = image === undefined ? unreadImage(world.images, imageId) : undefined;
      const seen = { key, specHash, imageId: complete ? imageId : null, current, bases };
      return [key, unread ? { ...seen, unread } : seen];
    }),
  );
}

function observedVolumes(world: World): Map<ResourceKey, ObservedVolume> {
  const volumes = new Map<ResourceKey, ObservedVolume>();
  for (const { id, owner, specHash, released, onRemove } of world.volumes.all()) {
    if (owner.type === 'named') volumes.set(owner.key, { key: owner.key, specHash, volumeId: id, released, onRemove });
  }
  for (const [key, volume] of volumesLeftBehind(world)) {
    volumes.set(key, { key, specHash: '', volumeId: volume.id, released: true, onRemove: 'keep' });
  }
  return volumes;
}

/** Reports whether nothing of a network is missing; one that no driver knows could not be set up so far. */
function isIntact(world: World, key: ResourceKey, kernel: ObservedNetworks | null): boolean {
  return remembered(world, key, kernel, () => kernel?.networks.get(key)?.drift ?? ['set-up']).length === 0;
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
      bridge: fallback.interfaceName,
      subnet: fallback.subnet,
      healthy: isIntact(world, key, kernel),
    });
  }
  for (const record of world.resources.networks()) {
    const { key, specHash, written, bridge, subnet } = record;
    // The default bridge is made by who knows its settings, and for now it cannot be.
    if (key === DEFAULT_NETWORK && !fallback) continue;
    const healthy = isIntact(world, key, kernel);
    networks.set(key, { key, specHash, spec: written, bridge, subnet, healthy });
  }
  return networks;
}

/**
 * Reads everything of ours, to be used at once; see {@link SeenContainers}.
 * @param scope keys whose obstacles are looked for. Null looks at everything: obstacles of all, orphans, and what the
 * kernel has of networks and endpoints, which is one dump whatever their number and too much for every small look. That
 * may be used later.
 * @param reading without it, what cannot be read is thrown
 */
export function observe(
  world: World,
  scope: ReadonlySet<ResourceKey> | null,
  reading: Reading = (read) => read(),
): ObservedState {
  const kernel = scope === null ? world.network.observe() : null;
  const now = world.clock.now();
  const seen = new SeenContainers(world.containers, (record) => observedContainer(world, record, kernel, now));
  const images = observedImages(world, reading);
  const containers = kernel === null ? seen : seen.all();
  return {
    images,
    volumes: observedVolumes(world),
    ...unreadVolumes(world),
    networks: observedNetworks(world, kernel),
    containers,
    orphans: kernel === null ? [] : orphans(world, kernel),
    failures: new Map(world.failures.all()),
    updates: world.updates.all(),
    approvals: reading(() => world.approvals.all() as ReadonlySet<ResourceKey>, new Set()),
    ...outlook(world, scope, containers),
    healthchecks: healthchecks(world, images, scope),
  };
}

/** Filesystems that answer do so in much less. */
const ANSWER_MS = 100;

/** As {@link observe}, after files on remote filesystems had a short time to answer, where they had none yet. */
export function observeAnswered(
  world: World,
  scope: ReadonlySet<ResourceKey> | null,
): ObservedState | Promise<ObservedState> {
  const observed = observe(world, scope);
  return world.paths.answers(ANSWER_MS)?.then(() => observe(world, scope)) ?? observed;
}
