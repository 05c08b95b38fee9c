/** The bridge that containers without a network of their own use. */
import { readFileSync } from 'node:fs';
import type { NetworkConfig, Networks } from '../drivers/contract/network.ts';
import { listAddresses } from '../ffi/network/link-addresses.ts';
import { findLink } from '../ffi/network/links.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../ffi/network/netlink.ts';
import { addressIn, chooseBridgeAddress, containsNetwork, networkOf } from '../model/addresses.ts';
import { describeError, TsdError, toTsdError } from '../model/errors/errors.ts';
import type { ResourceKey } from '../model/resource.ts';
import { ipv4RangeOf } from '../reconcile/ops/networks/network-config.ts';
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
  /** Address of the last start, so that it stays the same without a bridge to read it from. */
  readonly previous: string | null;
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
  if (!fields?.[0]) return DEFAULT_MTU;
  return Number(readFileSync(`/sys/class/net/${fields[0]}/mtu`, 'utf8'));
}

function presentAddress(name: string): string | null {
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  try {
    const link = findLink(socket, name);
    return (link && listAddresses(socket, 'ipv4').find((address) => address.link === link.index)?.address) ?? null;
  } finally {
    socket.close();
  }
}

function foreignAddress(bridge: string): string {
  const address = presentAddress(bridge);
  if (address !== null) return address;
  throw new TsdError('TSD_FLAG', `bridge ${bridge} does not exist or has no IPv4 address`, {
    step: '--bridge',
    hint: `Create it first: ip link add ${bridge} type bridge; ip addr add ADDRESS/LENGTH dev ${bridge}; ip link set ${bridge} up`,
  });
}

function ownAddress(options: DefaultNetworkOptions, occupied: readonly string[]): string {
  const { bip, previous, defaultBridge } = options;
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
  const chosen = present ?? previous ?? chooseBridgeAddress(occupied);
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
  const address =
    options.bridge === null ? ownAddress(options, networks.occupiedSubnets()) : foreignAddress(options.bridge);
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
    ipv6: null,
    mtu: options.mtu === 0 ? defaultMtu() : options.mtu,
    internal: false,
    options: { foreign: options.bridge !== null, icc: options.icc, masquerade: options.ipMasq },
  };
}

export interface DefaultNetworkParts extends Omit<DefaultNetworkOptions, 'previous'> {
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
    const recorded = records.networks().find((record) => record.key === KEY);
    const previous = recorded ? addressIn(recorded.gateway, recorded.subnet) : null;
    try {
      const config = defaultNetworkConfig({ ...this.#parts, previous }, networks);
      networks.ensureNetwork(config);
      const { interfaceName: bridge } = config;
      const { subnet, gateway } = ipv4RangeOf(config);
      // Only what worked is remembered: a mistyped name would hand the subnet of a foreign interface to the next start.
      if (recorded?.bridge !== bridge || recorded.subnet !== subnet || recorded.gateway !== gateway) {
        records.setNetwork({ key: KEY, specHash: '', written: {}, schemaVersion: 1, bridge, subnet, gateway });
      }
      if (this.#problem !== null) log.info({ bridge, subnet }, 'the default bridge could be made now');
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
