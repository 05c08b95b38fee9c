/** A network as this driver sees it: what every network has, and the options of bridges. */
import { TsdError } from '../../../model/errors/errors.ts';
import { networkName } from '../../../model/networks/network-name.ts';
import type { NetworkConfig, NetworkRange } from '../../contract/network.ts';
import { type BridgeOptions, bridgeOptions } from './bridge-options.ts';

/** Addresses of a bridge's network: the bridge has the gateway's. */
export type BridgeRange = { readonly [field in keyof NetworkRange]: string };

export interface BridgeNetwork extends Pick<NetworkConfig, 'key' | 'mtu' | 'internal'>, BridgeOptions {
  readonly ipv4: BridgeRange | null;
  readonly ipv6: BridgeRange | null;
  /** Name of the interface. */
  readonly bridge: string;
}

/** @throws TsdError TSD_NETWORK, invalid, for an option that bridges do not have, and for a network without a gateway. */
export function bridgeNetwork({ key, interfaceName, mtu, internal, options, ...ranges }: NetworkConfig): BridgeNetwork {
  const ipv4 = ranges.ipv4 && bridgeRange(key, ranges.ipv4);
  const ipv6 = ranges.ipv6 && bridgeRange(key, ranges.ipv6);
  if (ipv4 === null && ipv6 === null) {
    throw new TsdError('TSD_NETWORK', `${networkName(key)} needs a subnet`, { class: 'invalid' });
  }
  return { key, bridge: interfaceName, ipv4, ipv6, mtu, internal, ...bridgeOptions(options) };
}

function bridgeRange(key: string, { subnet, gateway }: NetworkRange): BridgeRange {
  if (gateway !== null) return { subnet, gateway };
  throw new TsdError('TSD_NETWORK', `${subnet} of ${networkName(key)} needs a gateway, which a bridge is`, {
    class: 'invalid',
  });
}
