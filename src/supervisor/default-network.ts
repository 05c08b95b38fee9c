/** The bridge that containers without a network of their own use (docker-1.4.md §5). */
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { NetworkConfig, NetworkDriver } from '../drivers/contract.ts';
import { chooseBridgeAddress, containsNetwork, networkOf } from '../model/addresses.ts';
import { TsdError } from '../model/errors.ts';

/** Ethernet's; used where there is no default route to take it from. */
const DEFAULT_MTU = 1500;

export interface DefaultNetworkOptions {
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
  const address = networkInterfaces()[name]?.find(({ family }) => family === 'IPv4');
  return address?.cidr ?? null;
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

/** @throws TsdError when an address is missing, taken or does not fit. */
export function defaultNetworkConfig(options: DefaultNetworkOptions, driver: NetworkDriver): NetworkConfig {
  const address =
    options.bridge === null ? ownAddress(options, driver.occupiedSubnets()) : foreignAddress(options.bridge);
  const { fixedCidr } = options;
  if (fixedCidr !== null && !containsNetwork(networkOf(address), networkOf(fixedCidr))) {
    throw new TsdError('TSD_FLAG', `network does not contain specified subnet: ${fixedCidr} is not within ${address}`, {
      step: '--fixed-cidr',
      hint: "Choose a part of the bridge's subnet, or another subnet with --bip.",
    });
  }
  return {
    key: 'network//bridge',
    bridge: options.bridge ?? options.defaultBridge,
    foreign: options.bridge !== null,
    subnet: networkOf(address),
    gateway: address.slice(0, address.indexOf('/')),
    mtu: options.mtu === 0 ? defaultMtu() : options.mtu,
    icc: options.icc,
    masquerade: options.ipMasq,
    internal: false,
  };
}
