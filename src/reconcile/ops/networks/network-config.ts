import type { NetworkConfig, NetworkRange } from '../../../drivers/contract/network.ts';
import type { Family } from '../../../model/addresses.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { NetworkSpec } from '../../../model/kinds/network.ts';
import { parentInterface } from '../../../model/kinds/network-rules.ts';
import type { DRIVER_FIELDS, NetworkDriverTable } from '../../../model/networks/driver-fields.ts';
import { own } from '../../../model/own.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { networkSpecOf } from '../../../state/containers/written-spec.ts';
import type { NetworkDefaults, NetworkRecord } from '../../../state/history/network-record.ts';
import type { ResourceStore } from '../../../state/history/resource-store.ts';
import type { NamedNetwork, NetworkLookup } from '../../names/zones.ts';

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
  /** The mtu is for those that declare none. */
  readonly settings: { readonly mtu: number; readonly networkDrivers: NetworkDriverTable };
}

/** Left out where it is as it always was. */
export function accessOptions({
  metadata,
  directAccess,
}: Pick<NetworkDefaults, 'metadata' | 'directAccess'>): NetworkConfig['options'] {
  return { ...(!metadata && { metadata }), ...(directAccess && { directAccess }) };
}

/** What a driver reads of a network besides what every network has. */
function driverOptions(
  { driver, defaults }: NetworkRecord,
  spec: NetworkSpec,
  drivers: NetworkDriverTable,
): NetworkConfig['options'] {
  const { icc, masquerade, gatewayMode, metadata, directAccess, hostAccess, spoofing, mode, mtu } = spec;
  const options: Record<(typeof DRIVER_FIELDS)[number], NetworkConfig['options']> = {
    bridgeName: {},
    icc: { icc },
    masquerade: { masquerade },
    gatewayMode: {
      ...(gatewayMode?.ipv4 && { gatewayMode4: gatewayMode.ipv4 }),
      ...(gatewayMode?.ipv6 && { gatewayMode6: gatewayMode.ipv6 }),
    },
    metadata: accessOptions({ metadata: metadata ?? defaults.metadata, directAccess: false }),
    directAccess: accessOptions({ metadata: true, directAccess: directAccess ?? defaults.directAccess }),
    hostAccess: { ...(hostAccess === false && { hostAccess }) },
    spoofing: { ...(spoofing === true && { spoofing }) },
    parent: { parent: parentInterface({ parent: spec.parent ?? null, vlan: spec.vlan ?? null }), ownMtu: mtu !== null },
    vlan: {},
    mode: { mode: mode ?? null },
  };
  const fields = own(drivers, driver)?.fields ?? [];
  return Object.fromEntries(fields.flatMap((field) => Object.entries(options[field])));
}

/** Returns the driver's configuration of a declared network, from the record of its creation. */
export function networkConfig({ settings }: Pick<KnownNetworks, 'settings'>, record: NetworkRecord): NetworkConfig {
  const { key, driver, interfaceName, ipv4, ipv6 } = record;
  // Stored specs lack the fields that their version did not have.
  const spec = networkSpecOf(record);
  return {
    key,
    driver,
    interfaceName,
    ipv4,
    ipv6,
    mtu: spec.mtu ?? settings.mtu,
    internal: spec.internal,
    options: driverOptions(record, spec, settings.networkDrivers),
  };
}

/** The part of a network that addresses of a family are given out from, null for all of it, and what never is. */
export function leaseLimits(
  networks: Pick<KnownNetworks, 'resources'>,
  key: ResourceKey,
  family: Family,
): { readonly range: string | null; readonly reserved: readonly string[] } {
  const record = networkRecord(networks, key);
  const spec = record && networkSpecOf(record);
  // Stored specs of earlier versions lack these fields, and the default bridge has no spec.
  return {
    range: (family === 'ipv4' ? spec?.ipRange : spec?.ipRange6) ?? null,
    reserved: spec?.reserved ?? [],
  };
}

/** What a manifest could write of a network without another effect than that of leaving it out. */
export function decidedOf(
  { driver, interfaceName, ipv4, ipv6, defaults }: NetworkRecord,
  drivers: NetworkDriverTable,
): Record<string, unknown> {
  return {
    driver,
    mode: own(drivers, driver)?.modes[0] ?? null,
    gatewayMode: { ipv4: 'nat', ipv6: 'nat' },
    bridgeName: interfaceName,
    ipv4: ipv4 !== null,
    subnet: ipv4?.subnet ?? null,
    gateway: ipv4?.gateway ?? null,
    ipv6: ipv6 !== null,
    subnet6: ipv6?.subnet ?? null,
    gateway6: ipv6?.gateway ?? null,
    metadata: defaults.metadata,
    directAccess: defaults.directAccess,
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

/** Finds a network by the name of its interface on the host, as records of containers have it. */
export function networksByInterface(networks: Omit<KnownNetworks, 'defaultNetworkProblem'>): NetworkLookup {
  let records: readonly NetworkRecord[] | null = null;
  let fallback: NetworkConfig | null = null;
  let known = new Map<string, NamedNetwork>();
  return (bridge) => {
    const [present, current] = [networks.resources.networks(), networks.defaultNetwork()];
    if (present !== records || current !== fallback) {
      [records, fallback] = [present, current];
      known = new Map(
        networkConfigs(networks).map(({ interfaceName, key, internal }) => [
          interfaceName,
          { key: key as ResourceKey, internal },
        ]),
      );
    }
    return known.get(bridge) ?? null;
  };
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
