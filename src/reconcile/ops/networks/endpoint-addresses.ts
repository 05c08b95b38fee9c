/** Addresses of a container on its networks: leased, the same ones as long as the container is declared there. */
import type { NetworkConfig } from '../../../drivers/contract/network.ts';
import type { Family } from '../../../model/addresses.ts';
import type { Desired, DesiredState } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { membershipField, membershipsOf } from '../../../model/kinds/network-membership.ts';
import { describeFullPool } from '../../../model/networks/address-pools.ts';
import { networkName } from '../../../model/networks/network-name.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { Declared } from '../declared.ts';
import type { JoinedNetwork } from './container-networks.ts';
import { declaredContainers } from './declared-containers.ts';
import type { LeaseBook } from './lease-book.ts';
import { type KnownNetworks, leaseLimits } from './network-config.ts';

export interface AddressLeasePorts extends Declared {
  readonly networks: KnownNetworks;
  readonly leases: Pick<LeaseBook, 'address' | 'leave' | 'holders'>;
  /** The part of the default bridge's subnet to take from. */
  readonly settings: { readonly fixedCidr: string | null };
}

type AddressesByNetwork = Map<ResourceKey, Set<string>>;

/** By generation: an apply of a thousand containers asks a thousand times. */
const fixedByGeneration = new WeakMap<DesiredState, AddressesByNetwork>();

/** Addresses that containers on a network ask for. */
function fixedAddresses(declared: Declared, network: ResourceKey): ReadonlySet<string> {
  const desired = declared.desired();
  let found = fixedByGeneration.get(desired);
  if (!found) {
    found = new Map();
    for (const { references, spec } of declaredContainers(declared)) {
      for (const [index, { ipv4, ipv6 }] of membershipsOf(spec).entries()) {
        const key = references.networks[index];
        if (key === undefined || (ipv4 === null && ipv6 === null)) continue;
        const addresses = found.get(key) ?? new Set();
        for (const address of [ipv4, ipv6]) if (address !== null) addresses.add(address);
        found.set(key, addresses);
      }
    }
    fixedByGeneration.set(desired, found);
  }
  return found.get(network) ?? new Set();
}

/**
 * Leases an address of a family; null where the network has none. Without prefix length.
 * @throws TsdError TSD_ADDRESS_POOL_FULL.
 */
export function leaseAddress(
  ports: AddressLeasePorts,
  desired: Desired<'container'>,
  { key, membership, config }: JoinedNetwork,
  family: Family,
): string | null {
  const range = config[family];
  if (range === null) {
    ports.leases.leave(desired.key, key, [family]);
    return null;
  }
  const requested = membership[family];
  const limits = leaseLimits(ports.networks, key, family);
  const isDefault = key === ports.networks.defaultNetwork()?.key && family === 'ipv4';
  const fixed = isDefault ? ports.settings.fixedCidr : limits.range;
  const address = ports.leases.address({
    network: key,
    owner: desired.key,
    subnet: range.subnet,
    gateway: range.gateway,
    fixedCidr: fixed,
    closed: limits.reserved,
    requested,
    reserved: () => fixedAddresses(ports, key),
  });
  if (address !== null) return address;
  const pool = { ...range, range: fixed, reserved: limits.reserved };
  const full = describeFullPool(pool, ports.leases.holders(key, family));
  throw noAddress(desired, config, `${range.subnet}): ${full}`, membership.network, requested, family);
}

function noAddress(
  desired: Desired<'container'>,
  { key }: NetworkConfig,
  full: string,
  name: string,
  requested: string | null,
  family: Family,
): TsdError {
  const message =
    requested === null
      ? `no available ip addresses on ${networkName(key)} (${full}`
      : `ip already allocated: another container has ${requested} on ${networkName(key)}`;
  const field = membershipField(desired, name, requested === null ? undefined : family);
  const source = desired.positions[field] ?? desired.source;
  return new TsdError('TSD_ADDRESS_POOL_FULL', message, { key: desired.key, source });
}
