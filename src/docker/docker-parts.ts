/** What the routes of the Docker API work with. */
import type { ServedApi } from '../api/served.ts';
import type { ExecDriver } from '../drivers/contract/exec.ts';
import type { GraphDriver } from '../drivers/contract/graph.ts';
import type { NetworkConfig, Networks } from '../drivers/contract/network.ts';
import type { Clock } from '../model/clock.ts';
import type { DesiredState } from '../model/desired.ts';
import type { ObservedContainer } from '../model/observed.ts';
import type { ExitRecorder } from '../reconcile/exits.ts';
import type { HealthBook } from '../reconcile/health/health-book.ts';
import type { FileReaders } from '../reconcile/ops/file-readers.ts';
import type { ContainerRecord } from '../state/containers/container-record.ts';
import type { ContainerStore } from '../state/containers/containers.ts';
import type { ResourceStore } from '../state/history/resource-store.ts';
import type { DigestNames } from '../state/images/digest-names.ts';
import type { GraphIndex } from '../state/images/graph-index.ts';
import type { RepositoryStore } from '../state/images/repositories.ts';
import type { VolumeStore } from '../state/volumes/volumes.ts';
import type { DefaultNetwork } from '../supervisor/default-network.ts';
import type { SupervisorEventBus } from '../supervisor/events.ts';
import type { ImperativeContainers } from '../supervisor/imperative/containers.ts';
import type { ImperativeNetworks } from '../supervisor/imperative/networks.ts';
import type { Overrides } from '../supervisor/imperative/overrides.ts';
import type { ImperativeVolumes } from '../supervisor/imperative/removed-volumes.ts';
import type { ImperativeUpdates } from '../supervisor/imperative/updates.ts';
import type { EventFeed } from '../supervisor/jobs/event-feed.ts';
import type { Pauses } from '../supervisor/requests/pauses.ts';
import type { SupervisorParts } from '../supervisor/supervisor.ts';
import type { LoopState } from '../supervisor/views/view-input.ts';
import type { DockerEventBus } from './events/event-bus.ts';
import type { ExecInstances } from './streams/exec-instances.ts';
import type { FailedStarts } from './streams/failed-starts.ts';

export interface DockerParts {
  /** The supervisor's own API, for the one who asks. */
  readonly api: ServedApi;
  readonly desired: () => DesiredState;
  readonly containers: ContainerStore;
  readonly images: GraphIndex;
  readonly repositories: RepositoryStore;
  readonly digests: DigestNames;
  readonly volumes: VolumeStore;
  readonly resources: ResourceStore;
  readonly exec: ExecDriver;
  readonly networks: Networks;
  readonly graph: GraphDriver;
  /** Six digits of this instance. */
  readonly instanceId: string;
  readonly defaultNetwork: DefaultNetwork;
  /** What is seen of a container now. */
  readonly observed: (record: ContainerRecord) => ObservedContainer;
  /** Bytes of a directory with all below it. */
  readonly treeSize: (path: string) => Promise<number>;
  /** Address of the host at which ports are published by default. */
  readonly hostIp: string;
  /** All networks that there are, the default one among them. */
  readonly networkConfigs: () => readonly NetworkConfig[];
  /** What the loop last decided, and does. */
  readonly loop: Pick<LoopState, 'hold' | 'inFlight'>;
  readonly health: Pick<HealthBook, 'get'>;
  readonly clock: Clock;
  readonly events: SupervisorEventBus;
  readonly feed: EventFeed;
  /** Directory for files that live as long as a request. */
  readonly tmpDir: string;
  /** A docker-archive of images, which breaks off where one is removed meanwhile. @throws TSD_NO_SUCH_RESOURCE at once */
  readonly archive: (names: readonly string[]) => AsyncIterable<Buffer>;
  readonly commands: Pick<SupervisorParts, 'starts' | 'stops' | 'kills'>;
  readonly exits: ExitRecorder;
  readonly pauses: Pick<Pauses, 'hold' | 'release'>;
  readonly fileReaders: FileReaders;
  readonly bus: DockerEventBus;
  readonly execs: ExecInstances;
  readonly failedStarts: FailedStarts;
  /** Changes of what clients made. */
  readonly imperative: {
    readonly containers: ImperativeContainers;
    readonly volumes: ImperativeVolumes;
    readonly updates: ImperativeUpdates;
    readonly networks: ImperativeNetworks;
    readonly overrides: Overrides;
  };
}
