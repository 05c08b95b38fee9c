/** An endpoint as this driver sees it. */
import { TsdError } from '../../../model/errors/errors.ts';
import type { EndpointConfig } from '../../contract/network.ts';

export interface BridgeEndpoint extends EndpointConfig {
  /** IPv4 address with prefix length. */
  readonly address: string;
  readonly mac: string;
}

/** @throws TsdError TSD_NETWORK, invalid, for an endpoint without an IPv4 or MAC address. */
export function bridgeEndpoint(config: EndpointConfig): BridgeEndpoint {
  const { ipv4, mac, network } = config;
  if (ipv4 !== null && mac !== null) return { ...config, address: ipv4, mac };
  throw new TsdError('TSD_NETWORK', `an endpoint of bridge network ${network} needs an IPv4 and a MAC address`, {
    class: 'invalid',
  });
}
