import type { NetworkConfig, NetworkRange } from '../../../drivers/contract/network.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { networkSpecOf } from '../../../state/containers/written-spec.ts';
import type { NetworkRecord, ResourceStore } from '../../../state/history/resource-store.ts';

/** The default bridge of this host. */
export interface DefaultNetworks {
  /** Null where it is switched off or could not be set up so far. */
  defaultNetwork(): NetworkConfig | null;
  /** Why it could not be set up, in words. */
  defaultNetworkProblem(): string | null;
}

/** The existing networks, as recorded at their creation. */
export interface KnownNetworks extends DefaultNetworks {
  readonly resources: Pick<ResourceStore, 'networks'>;
  /** For those that declare none. */
  readonly settings: { readonly mtu: number; readonly networkDriver: string };
}

/** Returns the driver's configuration of a declared network, from the record of its creation. */
export function networkConfig({ settings }: Pick<KnownNetworks, 'settings'>, record: NetworkRecord): NetworkConfig {
  const spec = networkSpecOf(record);
  return {
    key: record.key,
    driver: settings.networkDriver,
    interfaceName: record.bridge,
    ipv4: { subnet: record.subnet, gateway: record.gateway },
    ipv6: null,
    mtu: spec.mtu ?? settings.mtu,
    internal: spec.internal,
    options: { icc: spec.icc, masquerade: spec.masquerade },
  };
}

/** @throws TsdError TSD_NETWORK for a network without IPv4 addresses that leads out. */
export function ipv4RangeOf({ key, ipv4 }: NetworkConfig): { [field in keyof NetworkRange]: string } {
  if (ipv4 !== null && ipv4.gateway !== null) return { subnet: ipv4.subnet, gateway: ipv4.gateway };
  throw new TsdError('TSD_NETWORK', `${key} has no IPv4 subnet with a gateway`, { class: 'unsupported' });
}

/** All networks that there are, the default one among them. */
export function networkConfigs(networks: Omit<KnownNetworks, 'defaultNetworkProblem'>): NetworkConfig[] {
  const fallback = networks.defaultNetwork();
  const declared = networks.resources.networks().filter(({ key }) => key !== fallback?.key);
  return [...declared.map((record) => networkConfig(networks, record)), ...(fallback ? [fallback] : [])];
}

export function networkRecord(
  { resources }: Pick<KnownNetworks, 'resources'>,
  key: ResourceKey,
): NetworkRecord | undefined {
  return resources.networks().find((record) => record.key === key);
}

/** `-b none`: no default bridge is wanted, while one that could not be made so far is tried again. */
export function isDefaultNetworkOff(networks: DefaultNetworks): boolean {
  return networks.defaultNetwork() === null && networks.defaultNetworkProblem() === null;
}

/** For what needs the default bridge where there is none; it is tried again with every look at everything. */
export function noDefaultBridge(
  networks: Pick<DefaultNetworks, 'defaultNetworkProblem'>,
  details: { readonly key?: ResourceKey; readonly hint: string },
): TsdError {
  const problem = networks.defaultNetworkProblem() ?? 'it is switched off (--bridge=none)';
  return new TsdError('TSD_NETWORK', `there is no default bridge: ${problem}`, { ...details, class: 'precondition' });
}
