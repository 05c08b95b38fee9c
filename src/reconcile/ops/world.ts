/** What operations act on: the stores, the drivers, and the settings of the supervisor. */
import type { Instance } from '../../drivers/contract/driver.ts';
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import type { GraphDriver } from '../../drivers/contract/graph.ts';
import type { NetworkConfig, Networks } from '../../drivers/contract/network.ts';
import type { LimitName } from '../../ffi/host/sysinfo.ts';
import type { Registry } from '../../images/registry/registries.ts';
import type { TrustPolicyFile } from '../../images/trust/policy.ts';
import type { Clock } from '../../model/clock.ts';
import type { DesiredState } from '../../model/desired.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { ContentStore } from '../../state/content-store.ts';
import type { ApprovalStore } from '../../state/history/approval-store.ts';
import type { ImageStore } from '../../state/history/image-store.ts';
import type { ResourceStore } from '../../state/history/resource-store.ts';
import type { GraphIndex } from '../../state/images/graph-index.ts';
import type { RepositoryStore } from '../../state/images/repositories.ts';
import type { LinkGraph } from '../../state/link-graph.ts';
import type { VolumeStore } from '../../state/volumes/volumes.ts';
import type { DriftMemory } from '../drift-memory.ts';
import type { ExitRecorder } from '../exits.ts';
import type { GroupCommit } from '../group-commit.ts';
import type { HealthBook } from '../health/health-book.ts';
import type { HostFacts } from '../host-facts.ts';
import type { NetworkNames } from '../names/network-names.ts';
import type { OpFailureCache } from '../op-failure-cache.ts';
import type { PathBook } from '../path-book.ts';
import type { UpdateBook } from '../update-book.ts';
import type { BuildWork } from './build/build-work.ts';
import type { Configuration } from './containers/run-task.ts';
import type { StopClocks } from './containers/stop-clocks.ts';
import type { RollBack } from './containers/update-outcome.ts';
import type { FileReaders } from './file-readers.ts';
import type { OpPorts } from './handlers.ts';
import type { ImageWork } from './images/image-work.ts';
import type { KeyedMutex } from './keyed-mutex.ts';
import type { EndpointPorts } from './networks/endpoint.ts';
import type { LeaseBook } from './networks/lease-book.ts';

interface WorldSettings {
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  /** Host address of published ports that name none. */
  readonly defaultIp: string;
  /** Driver of networks that name none. */
  readonly networkDriver: string;
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

export interface World extends OpPorts {
  readonly instance: Instance;
  readonly clock: Clock;
  readonly bootId: string;
  readonly settings: WorldSettings;
  desired(): DesiredState;
  readonly graph: GraphDriver;
  readonly network: Networks;
  readonly exec: ExecDriver;
  readonly containers: ContainerStore;
  readonly names: Pick<NetworkNames, 'lines' | 'renew' | 'leftOut'>;
  readonly images: GraphIndex;
  readonly imageWork: ImageWork;
  readonly builds: BuildWork;
  /** Ids of containers that are being made: what carries one has an owner to come. */
  readonly making: Set<string>;
  /** Keyed by id: removing the leftovers of a create excludes the create itself; adopting a volume excludes a second adoption. */
  readonly mutex: KeyedMutex;
  readonly stopClocks: StopClocks;
  readonly fileReaders: FileReaders;
  /** Containers that did not run when this supervisor started and are not started by itself (`--restart=false`). */
  readonly leftDown: Set<string>;
  /** Why it could not be found out whether a container still runs, by its id. */
  readonly unanswered: Map<string, string>;
  /** Files of the host on filesystems that may not answer. */
  readonly paths: PathBook;
  readonly registry: Pick<Registry, 'pull'>;
  readonly trustPolicy: TrustPolicyFile;
  readonly repositories: RepositoryStore;
  readonly volumes: VolumeStore;
  readonly links: LinkGraph;
  readonly leases: LeaseBook;
  readonly approvals: ApprovalStore;
  readonly failures: OpFailureCache;
  readonly health: HealthBook;
  readonly drifts: DriftMemory;
  readonly updates: UpdateBook;
  readonly rollBack: RollBack;
  readonly resources: ResourceStore;
  readonly imagesOfPast: Pick<ImageStore, 'pinned' | 'neededBy' | 'noteMoment'>;
  /** Copies of files that stand for them. */
  readonly contents: Pick<ContentStore, 'path' | 'holds' | 'isWhole'>;
  /** Names of copies that are made once what is planned is what is wanted. Left out, all are made. */
  readonly copiesToCome?: Pick<ReadonlyMap<string, unknown>, 'has'>;
  readonly configuration: Configuration;
  readonly endpoints: EndpointPorts;
  readonly commits: GroupCommit;
  readonly exits: ExitRecorder;
  /** What the host has to give, as it is now. */
  hostFacts(): HostFacts;
  /** Null where the default bridge is switched off or could not be set up so far. */
  defaultNetwork(): NetworkConfig | null;
  /** Why it could not be set up, in words. */
  defaultNetworkProblem(): string | null;
}
