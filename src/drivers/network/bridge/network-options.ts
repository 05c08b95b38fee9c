/** A network as this driver sees it: what every network has, and the options of bridges. */
import { TsdError } from '../../../model/errors/errors.ts';
import type { NetworkConfig } from '../../contract/network.ts';
import { type BridgeOptions, bridgeOptions } from './bridge-options.ts';

export interface BridgeNetwork extends Pick<NetworkConfig, 'key' | 'mtu' | 'internal'>, BridgeOptions {
  /** IPv4 network in CIDR form. */
  readonly subnet: string;
  readonly gateway: string;
  /** Name of the interface. */
  readonly bridge: string;
}

/** @throws TsdError TSD_NETWORK, invalid, for an option that bridges do not have, and for a network without an IPv4 gateway. */
export function bridgeNetwork({ key, interfaceName, ipv4, mtu, internal, options }: NetworkConfig): BridgeNetwork {
  const { subnet, gateway } = ipv4 ?? { subnet: '', gateway: null };
  if (gateway === null) {
    throw new TsdError('TSD_NETWORK', `network ${key} needs an IPv4 subnet with a gateway`, { class: 'invalid' });
  }
  return { key, bridge: interfaceName, subnet, gateway, mtu, internal, ...bridgeOptions(options) };
}
