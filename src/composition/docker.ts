/** The Docker API over the parts of a supervisor. */
import type { OtherApi } from '../api/other-api.ts';
import type { Caller, ServedApi } from '../api/served.ts';
import { DockerDispatcher } from '../docker/wire/dispatcher.ts';
import type { Wired } from './wire.ts';

export function createDocker({ opened, events, feed, onBug }: Wired, api: (caller: Caller) => ServedApi): OtherApi {
  const { parts, observing, stores, defaultNetwork } = opened;
  const shared = {
    desired: parts.desired,
    containers: stores.containers,
    images: stores.images,
    repositories: parts.repositories,
    volumes: stores.volumes,
    resources: parts.resources,
    exec: parts.exec,
    networks: parts.network,
    defaultNetwork,
    observed: (record: Parameters<typeof observing.sight.look>[0]) => observing.sight.look(record),
    clock: parts.clock,
    events,
    feed,
  };
  return new DockerDispatcher((caller) => ({ ...shared, api: api(caller) }), onBug);
}
