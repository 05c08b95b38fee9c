/** All networks that clients see: the declared ones, the default bridge, and the two that are no networks of ours. */
import type { NetworkConfig } from '../../drivers/contract/network.ts';
import type { NetworkSpec } from '../../model/kinds/network.ts';
import { DEFAULT_NETWORK } from '../../model/network-mode.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { networkSpecOf } from '../../state/containers/written-spec.ts';
import { ZERO_TIME } from '../../state/files/go-time.ts';
import type { NetworkRecord } from '../../state/history/network-record.ts';
import { HOST_NETWORK, NO_NETWORK } from '../containers/endpoint-settings.ts';
import type { JsonObject } from '../containers/json-object.ts';
import type { DockerParts } from '../docker-parts.ts';
import { derivedId, engineNameOf } from '../names.ts';

export interface KnownNetwork {
  readonly key: ResourceKey;
  readonly id: string;
  readonly name: string;
  /** RFC 3339. */
  readonly created: string;
  /** In Docker's words. */
  readonly driver: string;
  /** Null for those that are not ours, and for a default bridge that could not be made. */
  readonly config: NetworkConfig | null;
  /** What a declaration says; null for those that nothing declares. */
  readonly spec: NetworkSpec | null;
  /** The body of the request that made it; null for one that no client made. */
  readonly request: JsonObject | null;
}

type Asked = { readonly request?: { readonly body: JsonObject; readonly at: string } };

/** When a network was made is kept with those that a client made; {@link ZERO_TIME} for others. */
const requestOf = (record: NetworkRecord | undefined): Asked['request'] =>
  (record as (NetworkRecord & Asked) | undefined)?.request;

/** It is another one after the network was made again. */
function networkIdOf(instanceId: string, key: ResourceKey, created: string): string {
  return derivedId('network', instanceId, key, created === ZERO_TIME ? '' : created);
}

type Ports = Pick<DockerParts, 'instanceId' | 'networkConfigs' | 'resources'>;

export function knownNetworks({ instanceId, networkConfigs, resources }: Ports): readonly KnownNetwork[] {
  const records = new Map(resources.networks().map((record) => [record.key, record]));
  const declared = networkConfigs().map((config): KnownNetwork => {
    const key = config.key as ResourceKey;
    const record = records.get(key);
    const request = requestOf(record);
    const created = request?.at ?? ZERO_TIME;
    return {
      key,
      id: networkIdOf(instanceId, key, created),
      name: engineNameOf(key),
      created,
      driver: config.driver,
      config,
      spec: record === undefined || key === DEFAULT_NETWORK ? null : networkSpecOf(record),
      request: request?.body ?? null,
    };
  });
  const plain = (key: ResourceKey, name: string, driver: string): KnownNetwork => ({
    key,
    id: networkIdOf(instanceId, key, ZERO_TIME),
    name,
    created: ZERO_TIME,
    driver,
    config: null,
    spec: null,
    request: null,
  });
  const hasDefault = declared.some(({ key }) => key === DEFAULT_NETWORK);
  return [
    ...declared,
    ...(hasDefault ? [] : [plain(DEFAULT_NETWORK, 'bridge', 'bridge')]),
    plain(HOST_NETWORK, 'host', 'host'),
    plain(NO_NETWORK, 'none', 'null'),
  ];
}

/** Ids by key; of a network that is not there any more as well. */
export function networkIds(instanceId: string, networks: readonly KnownNetwork[]): (key: ResourceKey) => string {
  const known = new Map(networks.map(({ key, id }) => [key, id]));
  return (key) => known.get(key) ?? networkIdOf(instanceId, key, ZERO_TIME);
}
