/** The bridge that containers without a network of their own use. */
import { readFileSync } from 'node:fs';
import type { NetworkConfig, NetworkRange, Networks } from '../drivers/contract/network.ts';
import { withRouteSocket } from '../drivers/network/route-socket.ts';
import { listAddresses } from '../ffi/network/link-addresses.ts';
import { findLink } from '../ffi/network/links.ts';
import { addressIn, chooseBridgeAddress, containsNetwork, firstHostOf, networkOf } from '../model/addresses.ts';
import { describeError, TsdError, toTsdError } from '../model/errors/errors.ts';
import {
  chooseSubnet,
  DEFAULT_IPV4_POOLS,
  type HostUse,
  type UsedSubnet,
  usedByHost,
} from '../model/networks/address-pools.ts';
import type { ResourceKey } from '../model/resource.ts';
import { type NewNetworks, subnetsOfOthers } from '../reconcile/ops/networks/network.ts';
import { accessOptions } from '../reconcile/ops/networks/network-config.ts';
import { sameData } from '../reconcile/plan/diff.ts';
import { type NetworkRecord, PRESENT_DEFAULTS } from '../state/history/network-record.ts';
import type { ResourceStore } from '../state/history/resource-store.ts';
import type { Logger } from './log.ts';

/** Ethernet's; used where there is no default route to take it from. */
const DEFAULT_MTU = 1500;

interface DefaultNetworkOptions {
  readonly driver: string;
  /** Interface made by us. */
  readonly defaultBridge: string;
  /** Existing interface to use instead, or null. */
  readonly bridge: string | null;
  /** Address and prefix asked for, or null. */
  readonly bip: string | null;
  /** Of the last start, so that it stays the same without a bridge to read it from. */
  readonly recorded: NetworkRecord | null;
  /** Subnets of our other networks. */
  readonly others: readonly UsedSubnet[];
  readonly newNetworks: NewNetworks;
  /** Asked for, refused, or left to the host. */
  readonly ipv6: boolean | 'auto';
  /** The part of its subnet that containers get addresses from, or null for all of it. */
  readonly fixedCidr: string | null;
  readonly mtu: number;
  readonly icc: boolean;
  readonly ipMasq: boolean;
}

/** MTU of the interface of the default route, as Docker takes it. */
export function defaultMtu(): number {
  const routes = readFileSync('/proc/net/route', 'utf8').split('\n').slice(1);
  const fields = routes.map((line) => line.split('\t')).find(([, destination]) => destination === '00000000');
  const name = fields?.[0];
  // Not from /sys, which may be that of another network namespace.
  return (name && withRouteSocket((socket) => findLink(socket, name))?.mtu) || DEFAULT_MTU;
}

const presentAddress = (name: string): string | null =>
  withRouteSocket((socket) => {
    const link = findLink(socket, name);
    return (link && listAddresses(socket, 'ipv4').find((address) => address.link === link.index)?.address) ?? null;
  });

function foreignAddress(bridge: string): string {
  const address = presentAddress(bridge);
  if (address !== null) return address;
  throw new TsdError('TSD_FLAG', `bridge ${bridge} does not exist or has no IPv4 address`, {
    step: '--bridge',
    hint: `Create it first: ip link add ${bridge} type bridge; ip addr add ADDRESS/LENGTH dev ${bridge}; ip link set ${bridge} up`,
  });
}

/** One of the pools that were asked for, else Docker's; beside all that is in use where that can be. */
function freeAddress({ newNetworks, others }: DefaultNetworkOptions, host: HostUse): string | null {
  const { ipv4 } = newNetworks.pools;
  const used = [...others, ...usedByHost(host, null)];
  if (ipv4 !== DEFAULT_IPV4_POOLS) {
    const subnet = chooseSubnet(ipv4, used);
    return subnet && addressIn(firstHostOf(subnet), subnet);
  }
  const chosen = (taken: readonly UsedSubnet[]) => chooseBridgeAddress(taken.map(({ subnet }) => subnet));
  return chosen(used) ?? chosen(used.filter(({ yields }) => yields !== true));
}

/** Of a bridge that is made for the first time; one that was made without IPv6 stays so unless it is asked for. */
function ipv6RangeOf(options: DefaultNetworkOptions, host: HostUse): NetworkRange | null {
  const { recorded, newNetworks, others, bridge, ipv6 } = options;
  if (ipv6 === false || bridge !== null) return null;
  if (recorded !== null && (recorded.ipv6 !== null || ipv6 === 'auto')) return recorded.ipv6;
  if (!newNetworks.families().ipv6) return null;
  const subnet = chooseSubnet(newNetworks.pools.ipv6, [...others, ...usedByHost(host, null)]);
  return subnet === null ? null : { subnet, gateway: firstHostOf(subnet) };
}

function ownAddress(options: DefaultNetworkOptions, host: HostUse): string {
  const { bip, recorded, defaultBridge } = options;
  const previous = recorded?.ipv4?.gateway ? addressIn(recorded.ipv4.gateway, recorded.ipv4.subnet) : null;
  const present = presentAddress(defaultBridge);
  if (bip !== null) {
    if (present !== null && present !== bip) {
      throw new TsdError('TSD_FLAG', `bridge ip (${present}) does not match existing bridge configuration ${bip}`, {
        step: '--bip',
        hint: `Remove the bridge (ip link del ${defaultBridge}) or leave --bip out.`,
      });
    }
    return bip;
  }
  const chosen = present ?? previous ?? freeAddress(options, host);
  if (chosen !== null) return chosen;
  throw new TsdError(
    'TSD_ADDRESS_POOL_FULL',
    `Could not find a free IP address range for interface '${defaultBridge}'. Please configure its address manually and run 'tsdocker daemon -b ${defaultBridge}'`,
    { step: '--bip', hint: 'Choose one with --bip.' },
  );
}

const KEY: ResourceKey = 'network//bridge';

/** @throws TsdError when an address is missing, taken or does not fit. */
function defaultNetworkConfig(options: DefaultNetworkOptions, networks: Networks): NetworkConfig {
  const host = networks.hostUse();
  const address = options.bridge === null ? ownAddress(options, host) : foreignAddress(options.bridge);
  const { fixedCidr } = options;
  if (fixedCidr !== null && !containsNetwork(networkOf(address), networkOf(fixedCidr))) {
    throw new TsdError('TSD_FLAG', `network does not contain specified subnet: ${fixedCidr} is not within ${address}`, {
      step: '--fixed-cidr',
      hint: "Choose a part of the bridge's subnet, or another subnet with --bip.",
    });
  }
  return {
    key: KEY,
    driver: options.driver,
    interfaceName: options.bridge ?? options.defaultBridge,
    ipv4: { subnet: networkOf(address), gateway: address.slice(0, address.indexOf('/')) },
    ipv6: ipv6RangeOf(options, host),
    mtu: options.mtu === 0 ? defaultMtu() : options.mtu,
    internal: false,
    options: {
      foreign: options.bridge !== null,
      icc: options.icc,
      masquerade: options.ipMasq,
      ...accessOptions(options.recorded?.defaults ?? PRESENT_DEFAULTS),
    },
  };
}

function isRecorded({ interfaceName, ipv4, ipv6 }: NetworkConfig, recorded: NetworkRecord | null): boolean {
  return (
    recorded !== null && sameData([interfaceName, ipv4, ipv6], [recorded.interfaceName, recorded.ipv4, recorded.ipv6])
  );
}

function recordOf({ driver, interfaceName, ipv4, ipv6 }: NetworkConfig, recorded: NetworkRecord | null): NetworkRecord {
  const defaults = recorded?.defaults ?? { ...PRESENT_DEFAULTS, ipv6: ipv6 !== null };
  return { key: KEY, specHash: '', written: {}, schemaVersion: 1, driver, interfaceName, ipv4, ipv6, defaults };
}

export interface DefaultNetworkParts extends Omit<DefaultNetworkOptions, 'recorded' | 'others'> {
  /** No default bridge is wanted (`--bridge=none`). */
  readonly disableNetwork: boolean;
  readonly networks: Networks;
  readonly records: Pick<ResourceStore, 'networks' | 'setNetwork'>;
  readonly log: Logger;
}

/**
 * The default bridge from its first attempt on. A host that cannot have it yet (an address that is taken, a library that is
 * missing) is asked again at every look at everything; containers that need it are held back meanwhile.
 */
export class DefaultNetwork {
  readonly #parts: DefaultNetworkParts;
  #config: NetworkConfig | null = null;
  #problem: string | null = null;

  constructor(parts: DefaultNetworkParts) {
    this.#parts = parts;
  }

  /** Tries to make it. @throws TsdError TSD_FLAG for settings that contradict each other or the host. */
  begin(): void {
    if (this.#parts.disableNetwork) return;
    this.#attempt((error) => {
      if (error.code === 'TSD_FLAG') throw error;
    });
  }

  /** Null where there is none. */
  get config(): NetworkConfig | null {
    return this.#config;
  }

  /** Why there is none although it is wanted. */
  get problem(): string | null {
    return this.#problem;
  }

  /** Tries again to create what could not be created before. */
  review(): void {
    if (this.#config === null && !this.#parts.disableNetwork) this.#attempt(() => {});
  }

  #attempt(onError: (error: TsdError) => void): void {
    const { networks, records, log } = this.#parts;
    const all = records.networks();
    const recorded = all.find((record) => record.key === KEY) ?? null;
    try {
      const config = defaultNetworkConfig({ ...this.#parts, recorded, others: subnetsOfOthers(all, KEY) }, networks);
      networks.ensureNetwork(config);
      // Only what worked is remembered: a mistyped name would hand the subnet of a foreign interface to the next start.
      if (!isRecorded(config, recorded)) records.setNetwork(recordOf(config, recorded));
      if (this.#problem !== null)
        log.info({ bridge: config.interfaceName, subnet: config.ipv4?.subnet }, 'the default bridge could be made now');
      this.#config = config;
      this.#problem = null;
    } catch (thrown) {
      const error = toTsdError(thrown);
      onError(error);
      const problem = describeError(error);
      // Said again only when it is another one.
      const overlaps = error.code === 'TSD_SUBNET_CONFLICT';
      const hint = overlaps ? 'Choose another subnet with --bip, or free that one.' : error.hint;
      if (problem !== this.#problem)
        log.error({ code: error.code, hint }, `no default bridge, it is tried again: ${problem}`);
      this.#problem = problem;
    }
  }
}
