import type { NetworkConfig } from '../../../drivers/contract/network.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { networkSpecOf } from '../../../state/containers/written-spec.ts';
import type { NetworkRecord } from '../../../state/history/resource-store.ts';
import type { World } from '../world.ts';

/** A declared network as the driver wants it, from what was recorded when it was made. */
export function networkConfig(world: Pick<World, 'settings'>, record: NetworkRecord): NetworkConfig {
  const spec = networkSpecOf(record);
  return {
    key: record.key,
    bridge: record.bridge,
    foreign: false,
    subnet: record.subnet,
    gateway: record.gateway,
    mtu: spec.mtu ?? world.settings.mtu,
    icc: spec.icc,
    masquerade: spec.masquerade,
    internal: spec.internal,
  };
}

/** All networks that there are, the default one among them. */
export function networkConfigs(world: World): NetworkConfig[] {
  const fallback = world.defaultNetwork();
  const declared = world.resources.networks().filter(({ key }) => key !== fallback?.key);
  return [...declared.map((record) => networkConfig(world, record)), ...(fallback ? [fallback] : [])];
}

export function networkRecord(world: World, key: ResourceKey): NetworkRecord | undefined {
  return world.resources.networks().find((record) => record.key === key);
}

/** `-b none`: no default bridge is wanted, while one that could not be made so far is tried again. */
export function isDefaultNetworkOff(world: Pick<World, 'defaultNetwork' | 'defaultNetworkProblem'>): boolean {
  return world.defaultNetwork() === null && world.defaultNetworkProblem() === null;
}

/** For what needs the default bridge where there is none; it is tried again with every look at everything. */
export function noDefaultBridge(
  world: Pick<World, 'defaultNetworkProblem'>,
  details: { readonly key?: ResourceKey; readonly hint: string },
): TsdError {
  const problem = world.defaultNetworkProblem() ?? 'it is switched off (--bridge=none)';
  return new TsdError('TSD_NETWORK', `there is no default bridge: ${problem}`, { ...details, class: 'precondition' });
}
