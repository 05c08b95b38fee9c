/** What is, as one snapshot: container records, stores and what the drivers see in the kernel. */
import type { GraphDriver } from '../drivers/contract/graph.ts';
import type { Networks, ObservedNetworks } from '../drivers/contract/network.ts';
import type { Clock } from '../model/clock.ts';
import type { DesiredState } from '../model/desired.ts';
import { DEFAULT_NETWORK } from '../model/network-mode.ts';
import type { ObservedImage, ObservedNetwork, ObservedState, ObservedVolume } from '../model/observed.ts';
import type { ResourceKey } from '../model/resource.ts';
import type { ContainerStore } from '../state/containers/containers.ts';
import type { ApprovalStore } from '../state/history/approval-store.ts';
import { NEWLY_PINNED, REBUILD_REQUESTED, REFRESH_REQUESTED } from '../state/history/resource-store.ts';
import type { GraphIndex } from '../state/images/graph-index.ts';
import { type DriftMemory, missingOf, NOT_SET_UP } from './drift-memory.ts';
import { healthchecks } from './health/probes-of.ts';
import type { ContainerSight } from './observed-container.ts';
import type { OpFailureCache } from './op-failure-cache.ts';
import type { ImageStores } from './ops/images/image-of.ts';
import type { NewNetworks } from './ops/networks/network.ts';
import { decidedOf, type KnownNetworks } from './ops/networks/network-config.ts';
import { shownFamilies } from './ops/networks/network-families.ts';
import { type VolumeUsers, volumesLeftBehind } from './ops/released-volumes.ts';
import { type OrphanSightPorts, orphans } from './orphans.ts';
import type { PathBook } from './path-book.ts';
import { type OutlookPorts, outlook, type Wanted } from './preflight.ts';
import { SeenContainers } from './seen-containers.ts';
import { type UnreadImagePorts, type UnreadVolumePorts, unreadImage, unreadVolumes } from './unread-state.ts';
import type { UpdateBook } from './update-book.ts';

interface ObservedImagePorts extends ImageStores {
  readonly images: ImageStores['images'] & UnreadImagePorts & Pick<GraphIndex, 'get'>;
  readonly graph: Pick<GraphDriver, 'exists'>;
}

type ObservedVolumePorts = Omit<VolumeUsers, 'desired'> & UnreadVolumePorts;

interface ObservedNetworkPorts extends Omit<KnownNetworks, 'defaultNetworkProblem'> {
  readonly drifts: Pick<DriftMemory, 'of' | 'record'>;
  readonly settings: KnownNetworks['settings'] & { readonly newNetworks: Pick<NewNetworks, 'families'> };
}

/** What the loop remembers of keys. */
interface RememberedPorts {
  readonly failures: Pick<OpFailureCache, 'all'>;
  readonly updates: Pick<UpdateBook, 'all'>;
  readonly approvals: Pick<ApprovalStore, 'all'>;
}

export interface ObserverPorts {
  desired(): DesiredState;
  readonly clock: Clock;
  readonly network: Pick<Networks, 'observe'>;
  readonly containers: Pick<ContainerStore, 'all' | 'byKey'>;
  readonly sight: Pick<ContainerSight, 'look'>;
  readonly of: {
    readonly images: ObservedImagePorts;
    readonly volumes: ObservedVolumePorts;
    readonly networks: ObservedNetworkPorts;
  };
  readonly orphans: OrphanSightPorts;
  readonly outlook: OutlookPorts;
  readonly remembered: RememberedPorts;
  readonly paths: Pick<PathBook, 'answers'>;
}

/** Reads something that may have to come from the disk. Returns `otherwise` when that fails. */
export type Reading = <T>(read: () => T, otherwise: T) => T;

function observedImages(ports: ObservedImagePorts, reading: Reading): Map<ResourceKey, ObservedImage> {
  return new Map(
    ports.resources.images().map(({ key, specHash, imageId, sourceFingerprint, bases }) => {
      const image = ports.images.get(imageId);
      const hasLayers = ({ parent }: { parent: string }) => parent === '' || ports.graph.exists(parent);
      const complete = image !== undefined && reading(() => hasLayers(image), true);
      // A manifest pins the image it was applied with: a changed source counts at the next edit or refresh.
      const current = ![REFRESH_REQUESTED, REBUILD_REQUESTED, NEWLY_PINNED].includes(sourceFingerprint);
      const unread = image === undefined ? unreadImage(ports.images, imageId) : undefined;
      const seen = { key, specHash, imageId: complete ? imageId : null, current, bases };
      return [key, unread ? { ...seen, unread } : seen];
    }),
  );
}

function observedVolumes(users: VolumeUsers): Map<ResourceKey, ObservedVolume> {
  const volumes = new Map<ResourceKey, ObservedVolume>();
  for (const { id, owner, specHash, released, onRemove } of users.volumes.all()) {
    if (owner.type === 'named') volumes.set(owner.key, { key: owner.key, specHash, volumeId: id, released, onRemove });
  }
  for (const [key, volume] of volumesLeftBehind(users)) {
    volumes.set(key, { key, specHash: '', volumeId: volume.id, released: true, onRemove: 'keep' });
  }
  return volumes;
}

/** Returns what is missing of a network; one that no driver knows could not be set up so far. */
function missingOfNetwork(
  drifts: ObservedNetworkPorts['drifts'],
  key: ResourceKey,
  kernel: ObservedNetworks | null,
): readonly string[] {
  return missingOf(drifts, key, kernel, () => kernel?.networks.get(key)?.drift ?? NOT_SET_UP);
}

function observedNetworks(
  ports: ObservedNetworkPorts,
  kernel: ObservedNetworks | null,
): Map<ResourceKey, ObservedNetwork> {
  const networks = new Map<ResourceKey, ObservedNetwork>();
  const fallback = ports.defaultNetwork();
  if (fallback) {
    const key = fallback.key as ResourceKey;
    const missing = missingOfNetwork(ports.drifts, key, kernel);
    networks.set(key, { key, specHash: '', spec: {}, decided: {}, missing });
  }
  for (const record of ports.resources.networks()) {
    const { key, specHash, written } = record;
    // The supervisor creates the default bridge from its settings; for now it cannot.
    if (key === DEFAULT_NETWORK && !fallback) continue;
    const missing = missingOfNetwork(ports.drifts, key, kernel);
    networks.set(key, {
      key,
      specHash,
      spec: written,
      decided: decidedOf(record, ports.settings.networkDrivers),
      missing,
    });
  }
  return networks;
}

/** Looked at only for a network that is not made yet. */
function lacksIpv6(
  { resources, settings }: ObservedNetworkPorts,
  keys: Iterable<ResourceKey>,
): Pick<ObservedState, 'lacksIpv6'> {
  let made: Set<ResourceKey> | null = null;
  for (const key of keys) {
    if (!key.startsWith('network/')) continue;
    made ??= new Set(resources.networks().map((record) => record.key));
    if (made.has(key)) continue;
    const { lacking } = shownFamilies(settings.newNetworks);
    return lacking === null ? {} : { lacksIpv6: lacking };
  }
  return {};
}

/** Filesystems that answer do so in much less. */
const ANSWER_MS = 100;

export class Observer {
  readonly #ports: ObserverPorts;

  constructor(ports: ObserverPorts) {
    this.#ports = ports;
  }

  /**
   * Reads everything of ours, to be used at once; see {@link SeenContainers}.
   * @param scope keys whose obstacles are looked for. Null looks at everything: obstacles of all, orphans, and what the
   * kernel has of networks and endpoints, which is one dump whatever their number and too much for every small look. That
   * may be used later.
   * @param reading without it, what cannot be read is thrown
   * @param wanted what would be wanted, in place of what is
   */
  observe(
    scope: ReadonlySet<ResourceKey> | null,
    reading: Reading = (read) => read(),
    wanted: Wanted = { state: this.#ports.desired() },
  ): ObservedState {
    const { network, clock, containers: records, sight, of, remembered, ...ports } = this.#ports;
    const kernel = scope === null ? network.observe() : null;
    const now = clock.now();
    const seen = new SeenContainers(records, (record) => sight.look(record, kernel, now));
    const images = observedImages(of.images, reading);
    const containers = kernel === null ? seen : seen.all();
    return {
      images,
      volumes: observedVolumes({ ...of.volumes, desired: () => wanted.state }),
      ...unreadVolumes(of.volumes),
      networks: observedNetworks(of.networks, kernel),
      ...lacksIpv6(of.networks, scope ?? wanted.state.resources.keys()),
      containers,
      orphans: kernel === null ? [] : orphans(ports.orphans, wanted.state, kernel),
      failures: new Map(remembered.failures.all()),
      updates: remembered.updates.all(),
      approvals: reading(() => remembered.approvals.all() as ReadonlySet<ResourceKey>, new Set()),
      ...outlook(ports.outlook, wanted, scope, containers),
      healthchecks: healthchecks(of.images, wanted.state, images, scope),
    };
  }

  /** As {@link observe}, after files on remote filesystems had a short time to answer, where they had none yet. */
  observeAnswered(scope: ReadonlySet<ResourceKey> | null): ObservedState | Promise<ObservedState> {
    const observed = this.observe(scope);
    return this.#ports.paths.answers(ANSWER_MS)?.then(() => this.observe(scope)) ?? observed;
  }
}
