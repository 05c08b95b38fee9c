/** The networks of a container as they are set up on this host. */
import type { NetworkConfig } from '../../../drivers/contract/network.ts';
import type { Desired } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { ContainerSpec } from '../../../model/kinds/container.ts';
import { membershipsOf, type NetworkMembership } from '../../../model/kinds/network-membership.ts';
import { DEFAULT_NETWORK, networkMode } from '../../../model/network-mode.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import {
  type DefaultNetworks,
  isDefaultNetworkOff,
  type KnownNetworks,
  networkConfig,
  networkRecord,
  noDefaultBridge,
} from './network-config.ts';

/** One network of a container: what the container says of it, and what it is. */
export interface JoinedNetwork {
  readonly key: ResourceKey;
  readonly membership: NetworkMembership;
  readonly config: NetworkConfig;
}

/** A container that is on the default network alone, where that is switched off, has loopback only. */
export function isCutOff(networks: DefaultNetworks, spec: Pick<ContainerSpec, 'network' | 'networks'>): boolean {
  const memberships = membershipsOf(spec);
  const onlyDefault =
    memberships.length > 0 && memberships.every(({ network }) => networkMode(network).type === 'bridge');
  return onlyDefault && isDefaultNetworkOff(networks);
}

/** Keys of the networks that a container is to have an endpoint on: without the default one where that is switched off. */
export function wantedNetworks(networks: DefaultNetworks, keys: readonly ResourceKey[]): readonly ResourceKey[] {
  return keys.includes(DEFAULT_NETWORK) && isDefaultNetworkOff(networks)
    ? keys.filter((key) => key !== DEFAULT_NETWORK)
    : keys;
}

/** The networks of a container, in the order of its interfaces; none for the modes without one. @throws TsdError TSD_NETWORK. */
export function joinedNetworks(networks: KnownNetworks, desired: Desired<'container'>): readonly JoinedNetwork[] {
  const { references, spec } = desired;
  const wanted = new Set(wantedNetworks(networks, references.networks));
  return membershipsOf(spec).flatMap((membership, index) => {
    const key = references.networks[index];
    if (key === undefined || !wanted.has(key)) return [];
    return [{ key, membership, config: configOf(networks, desired, key) }];
  });
}

function configOf(networks: KnownNetworks, desired: Desired<'container'>, key: ResourceKey): NetworkConfig {
  if (key !== DEFAULT_NETWORK) {
    const record = networkRecord(networks, key);
    if (record) return networkConfig(networks, record);
    throw new TsdError('TSD_NETWORK', `${key} is not set up`, { key: desired.key });
  }
  const config = networks.defaultNetwork();
  if (config) return config;
  throw noDefaultBridge(networks, {
    key: desired.key,
    hint: 'Correct what the message names; or give the container a network of its own, or `network: none`.',
  });
}
