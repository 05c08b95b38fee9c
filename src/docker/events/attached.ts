/** What a container's record says of its networks and volumes, for events. */
import { networkMode } from '../../model/network-mode.ts';
import { own } from '../../model/own.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { endpointsOf } from '../../state/containers/endpoints.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import { HOST_NETWORK, NO_NETWORK } from '../containers/endpoint-settings.ts';
import { mountPointsOf, volumesByPath } from '../containers/mount-points.ts';
import { requestOf } from '../containers/request.ts';
import type { DockerParts } from '../docker-parts.ts';
import { knownNetworks } from '../networks/known-networks.ts';
import type { Attached, EventMount, EventNetwork } from './attachments.ts';

export type AttachedPorts = Parameters<typeof knownNetworks>[0] & Pick<DockerParts, 'volumes'>;

function networkKeysOf(record: ContainerRecord): readonly ResourceKey[] {
  const present = endpointsOf(record).map(({ network }) => network);
  const { owner } = record;
  if (present.length > 0 || owner === null) return present;
  const { type } = networkMode(containerSpecOf(owner).network);
  if (type === 'host') return [HOST_NETWORK];
  const isNowhere = own(requestOf(owner)?.endpoints ?? {}, 'none') === null;
  return type === 'none' && !isNowhere ? [NO_NETWORK] : [];
}

/** All networks, by key. */
export function eventNetworks(ports: AttachedPorts): ReadonlyMap<ResourceKey, EventNetwork> {
  return new Map(knownNetworks(ports).map(({ key, id, name, driver }) => [key, { id, name, type: driver }]));
}

export function networksOn(record: ContainerRecord, ports: AttachedPorts): readonly EventNetwork[] {
  const known = eventNetworks(ports);
  return networkKeysOf(record).flatMap((key) => known.get(key) ?? []);
}

function mountsOf(record: ContainerRecord, { volumes }: AttachedPorts): readonly EventMount[] {
  if (Object.keys(record.volumes).length === 0) return [];
  return mountPointsOf(record, volumesByPath(volumes.all())).flatMap(({ Type, Name, Destination, RW }) =>
    Type === 'volume' && Name !== undefined ? [{ volume: Name, destination: Destination, writable: RW }] : [],
  );
}

export const attachedOf = (record: ContainerRecord, ports: AttachedPorts): Attached => ({
  networks: networksOn(record, ports),
  mounts: mountsOf(record, ports),
});
