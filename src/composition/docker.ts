/** The Docker API over the parts of a supervisor. */
import type { OtherApi } from '../api/other-api.ts';
import type { Caller, ServedApi } from '../api/served.ts';
import { DockerEventBus } from '../docker/events/event-bus.ts';
import { TimelineEvents } from '../docker/events/timeline-events.ts';
import { ExecInstances } from '../docker/streams/exec-instances.ts';
import { FailedStarts } from '../docker/streams/failed-starts.ts';
import { DockerDispatcher } from '../docker/wire/dispatcher.ts';
import { treeSize } from '../drivers/graph/tree-size.ts';
import { recipesOf } from '../reconcile/ops/images/image-intake.ts';
import { networkConfigs } from '../reconcile/ops/networks/network-config.ts';
import { imageArchive } from '../supervisor/images/image-archive.ts';
import { createCommands } from './facade.ts';
import type { Wired } from './wire.ts';

export function createDocker(wired: Wired, api: (caller: Caller) => ServedApi): OtherApi {
  const { opened, events, feed, loop, imperative, onBug } = wired;
  const { parts, observing, stores, defaultNetwork } = opened;
  const imageStores = { images: parts, layers: { graph: parts.graph, recipes: recipesOf(parts.intake) } };
  const bus = new DockerEventBus(parts.clock);
  const shared = {
    desired: parts.desired,
    containers: stores.containers,
    images: stores.images,
    repositories: parts.repositories,
    digests: stores.digests,
    volumes: stores.volumes,
    resources: parts.resources,
    exec: parts.exec,
    networks: parts.network,
    graph: parts.graph,
    instanceId: parts.instance.id,
    defaultNetwork,
    observed: (record: Parameters<typeof observing.sight.look>[0]) => observing.sight.look(record),
    treeSize,
    hostIp: parts.settings.defaultIp,
    networkConfigs: () => networkConfigs(parts),
    loop,
    health: parts.health,
    clock: parts.clock,
    events,
    feed,
    tmpDir: parts.intake.settings.tmpDir,
    archive: (names: readonly string[]) => imageArchive(imageStores, names),
    commands: createCommands(wired),
    exits: parts.exits,
    pauses: wired.pauses,
    fileReaders: parts.fileReaders,
    bus,
    execs: new ExecInstances(),
    failedStarts: new FailedStarts(stores.containers),
    imperative,
  };
  const timelineEvents = new TimelineEvents(shared);
  feed.watch((entry) => timelineEvents.noted(entry));
  return new DockerDispatcher((caller) => ({ ...shared, api: api(caller) }), onBug);
}
