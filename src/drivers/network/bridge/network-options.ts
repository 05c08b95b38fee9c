/** A network as this driver sees it: what every network has, and the options of bridges. */
import { TsdError } from '../../../model/errors/errors.ts';
import type { NetworkConfig } from '../../contract/network.ts';

export interface BridgeNetwork extends Pick<NetworkConfig, 'key' | 'subnet' | 'gateway' | 'mtu' | 'internal'> {
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

/** @throws TsdError TSD_NETWORK, invalid, for an option that bridges do not have. */
export function bridgeNetwork({
  key,
  interfaceName,
  subnet,
  gateway,
  mtu,
  internal,
  options,
}: NetworkConfig): BridgeNetwork {
  for (const [name, value] of Object.entries(options)) {
    if (Object.hasOwn(DEFAULTS, name) && typeof value === 'boolean') continue;
    const known = Object.keys(DEFAULTS).join(', ');
    throw new TsdError('TSD_NETWORK', `a bridge has no option ${name}: ${JSON.stringify(value)}`, {
      class: 'invalid',
      hint: `Its options are ${known}, each true or false.`,
    });
  }
  const { foreign, icc, masquerade } = { ...DEFAULTS, ...options } as Pick<
    BridgeNetwork,
    'foreign' | 'icc' | 'masquerade'
  >;
  return { key, bridge: interfaceName, subnet, gateway, mtu, internal, foreign, icc, masquerade };
}
