/** A network as this driver sees it: what every network has, and the options of bridges. */
import { TsdError } from '../../../model/errors/errors.ts';
import type { NetworkConfig } from '../../contract/network.ts';

export interface BridgeNetwork extends Pick<NetworkConfig, 'key' | 'mtu' | 'internal'> {
  /** IPv4 network in CIDR form. */
  readonly subnet: string;
  readonly gateway: string;
  /** Name of the interface. */
  readonly bridge: string;
  /** True when the bridge is not ours (`-b`): the driver uses it and never creates, changes or removes it. */
  readonly foreign: boolean;
  /** Containers of this network may connect to each other without a link. */
  readonly icc: boolean;
  /** Rewrite the source address of packets that leave the network. */
  readonly masquerade: boolean;
}

const DEFAULTS: Readonly<Record<string, boolean>> = { foreign: false, icc: true, masquerade: true };

/** @throws TsdError TSD_NETWORK, invalid, for an option that bridges do not have, and for a network without an IPv4 gateway. */
export function bridgeNetwork({ key, interfaceName, ipv4, mtu, internal, options }: NetworkConfig): BridgeNetwork {
  for (const [name, value] of Object.entries(options)) {
    if (Object.hasOwn(DEFAULTS, name) && typeof value === 'boolean') continue;
    const known = Object.keys(DEFAULTS).join(', ');
    throw new TsdError('TSD_NETWORK', `a bridge has no option ${name}: ${JSON.stringify(value)}`, {
      class: 'invalid',
      hint: `Its options are ${known}, each true or false.`,
    });
  }
  const { subnet, gateway } = ipv4 ?? { subnet: '', gateway: null };
  if (gateway === null) {
    throw new TsdError('TSD_NETWORK', `network ${key} needs an IPv4 subnet with a gateway`, { class: 'invalid' });
  }
  const { foreign, icc, masquerade } = { ...DEFAULTS, ...options } as Pick<
    BridgeNetwork,
    'foreign' | 'icc' | 'masquerade'
  >;
  return { key, bridge: interfaceName, subnet, gateway, mtu, internal, foreign, icc, masquerade };
}
