/** The options of bridge networks. */

import { TsdError } from '../../../model/errors/errors.ts';
import type { JsonValue } from '../../../model/json.ts';

const GATEWAY_MODES = ['nat', 'nat-unprotected', 'routed', 'isolated'] as const;
type GatewayMode = (typeof GATEWAY_MODES)[number];

export interface BridgeOptions {
  /** True when the bridge is not ours (`-b`): the driver uses it and never creates, changes or removes it. */
  readonly foreign: boolean;
  /** Containers of this network may connect to each other without a link. */
  readonly icc: boolean;
  /** Rewrite the source address of packets that leave the network. */
  readonly masquerade: boolean;
  /**
   * How other machines and the network reach each other. `nat`: by published ports of this host. `nat-unprotected`: also at
   * any port of a container, by a route. `routed`: at published ports of a container, by a route and without NAT.
   * `isolated`: not at all, neither this host.
   */
  readonly gatewayMode4: GatewayMode;
  readonly gatewayMode6: GatewayMode;
  /** Containers reach the addresses at which clouds serve credentials. */
  readonly metadata: boolean;
  /** Other machines reach any port of a container by a route. */
  readonly directAccess: boolean;
  /** Containers reach services that listen on this host. */
  readonly hostAccess: boolean;
  /** Containers may use other addresses than their own, where they reach each other without a link. */
  readonly spoofing: boolean;
}

/** What a network without the option does. */
const DEFAULTS: BridgeOptions = {
  foreign: false,
  icc: true,
  masquerade: true,
  gatewayMode4: 'nat',
  gatewayMode6: 'nat',
  metadata: true,
  directAccess: false,
  hostAccess: true,
  spoofing: false,
};

function isValue(name: string, value: JsonValue | undefined): boolean {
  if (!Object.hasOwn(DEFAULTS, name)) return false;
  if (typeof DEFAULTS[name as keyof BridgeOptions] === 'boolean') return typeof value === 'boolean';
  return GATEWAY_MODES.some((mode) => mode === value);
}

/** @throws TsdError TSD_NETWORK, invalid, for an option that bridges do not have. */
export function bridgeOptions(options: { readonly [name: string]: JsonValue }): BridgeOptions {
  for (const [name, value] of Object.entries(options)) {
    if (isValue(name, value)) continue;
    const modes = GATEWAY_MODES.join(', ');
    throw new TsdError('TSD_NETWORK', `a bridge has no option ${name}: ${JSON.stringify(value)}`, {
      class: 'invalid',
      hint: `Its options are ${Object.keys(DEFAULTS).join(', ')}: gateway modes are one of ${modes}, others true or false.`,
    });
  }
  return { ...DEFAULTS, ...(options as Partial<BridgeOptions>) };
}
