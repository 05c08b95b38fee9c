/** Puts what ops work on into the groups that they ask for. */
import type { Instance } from '../../drivers/contract/driver.ts';
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import type { GraphDriver } from '../../drivers/contract/graph.ts';
import type { Networks } from '../../drivers/contract/network.ts';
import type { LimitName } from '../../ffi/host/sysinfo.ts';
import type { Registry } from '../../images/registry/registries.ts';
import type { TrustPolicyFile } from '../../images/trust/policy.ts';
import type { Clock } from '../../model/clock.ts';
import type { NetworkDriverTable } from '../../model/networks/driver-fields.ts';
import type { DriftMemory } from '../../reconcile/drift-memory.ts';
import type { ExitRecorder } from '../../reconcile/exits.ts';
import type { GroupCommit } from '../../reconcile/group-commit.ts';
import type { HealthBook } from '../../reconcile/health/health-book.ts';
import type { NetworkNames } from '../../reconcile/names/network-names.ts';
import type { OpFailureCache } from '../../reconcile/op-failure-cache.ts';
import type { BuildWork } from '../../reconcile/ops/build/build-work.ts';
import type { NameService } from '../../reconcile/ops/containers/run-record.ts';
import type { Configuration } from '../../reconcile/ops/containers/run-task.ts';
import type { StopClocks } from '../../reconcile/ops/containers/stop-clocks.ts';
import type { RollBack } from '../../reconcile/ops/containers/update-outcome.ts';
import type { Declared } from '../../reconcile/ops/declared.ts';
import type { FileReaders } from '../../reconcile/ops/file-readers.ts';
import type { OpPorts } from '../../reconcile/ops/handlers.ts';
import type { ImageStores } from '../../reconcile/ops/images/image-of.ts';
import type { ImageWork } from '../../reconcile/ops/images/image-work.ts';
import type { KeyedMutex } from '../../reconcile/ops/keyed-mutex.ts';
import type { EndpointPorts } from '../../reconcile/ops/networks/endpoint.ts';
import type { LeaseBook } from '../../reconcile/ops/networks/lease-book.ts';
import type { NewNetworks } from '../../reconcile/ops/networks/network.ts';
import type { DefaultNetworks, KnownNetworks } from '../../reconcile/ops/networks/network-config.ts';
import type { AddressPorts } from '../../reconcile/ops/networks/unread-endpoint.ts';
import { type IsOwned, ownersOf } from '../../reconcile/ops/owners.ts';
import type { PathBook } from '../../reconcile/path-book.ts';
import type { UpdateBook } from '../../reconcile/update-book.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { ContentStore } from '../../state/content-store.ts';
import type { ApprovalStore } from '../../state/history/approval-store.ts';
import type { ImageStore } from '../../state/history/image-store.ts';
import type { ResourceStore } from '../../state/history/resource-store.ts';
import type { GraphIndex } from '../../state/images/graph-index.ts';
import type { RepositoryStore } from '../../state/images/repositories.ts';
import type { LinkGraph } from '../../state/link-graph.ts';
import type { VolumeStore } from '../../state/volumes/volumes.ts';

export interface Drivers {
  readonly graph: GraphDriver;
  readonly network: Networks;
  readonly exec: ExecDriver;
}

/** What is on disk. */
export interface OpStores {
  readonly containers: ContainerStore;
  readonly images: GraphIndex;
  readonly repositories: RepositoryStore;
  readonly volumes: VolumeStore;
  readonly links: LinkGraph;
  readonly approvals: ApprovalStore;
  readonly resources: ResourceStore;
  readonly imagesOfPast: Pick<ImageStore, 'pinned' | 'neededBy' | 'noteMoment'>;
  /** Copies of files that stand for them. */
  readonly contents: Pick<ContentStore, 'path' | 'holds' | 'isWhole'>;
  readonly commits: GroupCommit;
}

/** What is kept in memory of what is on disk and in the kernel. */
export interface Books {
  readonly names: Pick<NetworkNames, 'lines' | 'renew' | 'leftOut'>;
  readonly resolver: NameService;
  readonly leases: LeaseBook;
  readonly failures: OpFailureCache;
  readonly health: HealthBook;
  readonly drifts: DriftMemory;
  readonly updates: UpdateBook;
  readonly exits: ExitRecorder;
  /** Files of the host on filesystems that may not answer. */
  readonly paths: PathBook;
  /** Containers that did not run when this supervisor started and are not started by itself (`--restart=false`). */
  readonly leftDown: Set<string>;
  /** Why it is unknown whether a container still runs, by its id. */
  readonly unanswered: Map<string, string>;
}

/** Work in progress, and the locks that it holds. */
export interface WorkInProgress {
  readonly imageWork: ImageWork;
  readonly builds: BuildWork;
  /** Ids of containers being created: objects with such an id have an owner soon. */
  readonly making: Set<string>;
  /** Keyed by id: removing the leftovers of a create excludes the create itself; adopting a volume excludes a second adoption. */
  readonly mutex: KeyedMutex;
  readonly stopClocks: StopClocks;
  readonly fileReaders: FileReaders;
}

export interface OpSettings {
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  /** What `host-gateway` stands for; empty for what the host has on the network of the container. */
  readonly hostGateway: readonly string[];
  /** Host address of published ports that name none. */
  readonly defaultIp: string;
  /** Driver of networks that name none. */
  readonly networkDriver: string;
  readonly networkDrivers: NetworkDriverTable;
  readonly newNetworks: NewNetworks;
  readonly mtu: number;
  /** Addresses of the default bridge are taken from this part of its subnet; null for all of it. */
  readonly fixedCidr: string | null;
  readonly version: string;
  /** Temporary files of loads and builds. */
  readonly tmpDir: string;
  /** A rollback to one of so many generations finds its images on this host. */
  readonly keptGenerations: number;
  /** Limits that containers are started without. */
  readonly discardedLimits: ReadonlySet<LimitName>;
}

/** What comes from outside: manifests, settings, registries, time. */
export interface Around extends Declared, DefaultNetworks {
  readonly instance: Instance;
  readonly clock: Clock;
  readonly bootId: string;
  readonly settings: OpSettings;
  readonly registry: Pick<Registry, 'pull'>;
  readonly trustPolicy: TrustPolicyFile;
  readonly configuration: Configuration;
  readonly rollBack: RollBack;
}

export type OpParts = Drivers & OpStores & Books & WorkInProgress & Around;

/** All that was opened, and the groups of it that others ask for. Only the composition root has it whole. */
export type Parts = OpParts & OpPorts & NetworkGroups;

/** Beside what ops ask for: what says where containers are on their networks. */
interface NetworkGroups {
  readonly networks: KnownNetworks;
  readonly addresses: AddressPorts;
  readonly endpoints: EndpointPorts;
}

/** The parts, and the groups of them that ops and their helpers take. */
export function opPorts(parts: OpParts): Parts {
  const images = imageStoresOf(parts);
  const networks = networkGroups(parts, images);
  return {
    ...parts,
    ...networks,
    ...imageGroups(parts, images, networks),
    ...containerGroups(parts, images, networks),
    ...ownerGroups(parts),
  };
}

const imageStoresOf = ({ images, repositories, resources }: OpStores): ImageStores => ({
  images,
  repositories,
  resources,
});

function networkGroups(parts: OpParts, imageStores: ImageStores): NetworkGroups {
  const { desired, containers, links, leases, network, resources, settings } = parts;
  const { defaultNetwork, defaultNetworkProblem } = parts;
  const networks = { resources, settings, defaultNetwork, defaultNetworkProblem };
  const addresses = { desired, containers, links, leases };
  const endpoints = { desired, containers, network, networks, addresses, leases, imageStores, settings };
  return { networks, addresses, endpoints };
}

function imageGroups(
  parts: OpParts,
  imageStores: ImageStores,
  { networks }: NetworkGroups,
): Pick<OpPorts, 'imageStores' | 'intake' | 'builder' | 'unusedImages'> {
  const { desired, containers, resources, graph, network, exec, images, repositories, imagesOfPast, commits, leases } =
    parts;
  const { instance, clock, settings, registry, imageWork, builds } = parts;
  const intake = { graph, instance, settings, imageWork, images, commits };
  const baseImages = { desired, registry, repositories, intake, imageStores, imagesOfPast, clock };
  const buildNetworks = { builds, network, networks, leases, settings };
  const unusedImages = { repositories, resources, containers, images, graph, instance };
  return { imageStores, intake, unusedImages, builder: { clock, builds, exec, baseImages, buildNetworks, intake } };
}

function containerGroups(
  parts: OpParts,
  imageStores: ImageStores,
  { networks, addresses, endpoints }: NetworkGroups,
): Pick<OpPorts, 'connections' | 'mounts' | 'drafts' | 'runRecords' | 'runs' | 'texts'> {
  const { desired, containers, leases, volumes, contents, commits, graph, network, exec } = parts;
  const { names, resolver, drifts, exits, leftDown, paths, clock, bootId, settings, configuration } = parts;
  const texts = { desired, containers, addresses, networks, names, settings };
  const connections = { desired, containers, exec, network, networks, endpoints, leases, drifts };
  const tasks = { desired, containers, imageStores, networks, network, exec, graph, configuration, settings };
  return {
    texts,
    connections,
    mounts: { volumes, containers, contents, commits, paths },
    drafts: { desired, containers, clock, graph, exec, texts },
    runRecords: { desired, clock, bootId, containers, texts, resolver, exits, leftDown },
    runs: { tasks, connections },
  };
}

/** What says whose something is, and what forgets it. */
function ownerGroups(
  parts: OpParts,
): Pick<OpPorts, 'isOwned' | 'linkNames' | 'makings' | 'stops' | 'strayLeases' | 'memories'> {
  const { desired, containers, links, approvals, commits, exec, network, leases, making, mutex } = parts;
  const { exits, unanswered, health, updates, clock, bootId } = parts;
  const isOwned: IsOwned = (thing) => ownersOf(parts)(thing);
  const damaged = { containers, links, approvals, mutex, exec, network, commits };
  const strayLeases = { desired, containers, leases };
  return {
    isOwned,
    linkNames: { desired, containers, links, commits, isOwned, damaged },
    makings: { making, mutex },
    stops: { desired, clock, bootId },
    strayLeases,
    memories: { desired, exits, unanswered, health, updates, strayLeases },
  };
}
