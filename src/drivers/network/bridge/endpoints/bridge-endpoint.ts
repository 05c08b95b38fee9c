/** An endpoint as this driver sees it. */
import { bareAddress, macOfAddress } from '../../../../model/addresses.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import { networkName } from '../../../../model/networks/network-name.ts';
import type { EndpointConfig } from '../../../contract/network.ts';
import { type EndpointId, endpointId, type Names } from '../names.ts';

export interface BridgeEndpoint extends EndpointConfig {
  readonly id: EndpointId;
  /** The host's end of its pair. */
  readonly host: string;
  readonly mac: string;
}

/** @throws TsdError TSD_NETWORK, invalid, for an endpoint without an address. */
export function bridgeEndpoint(config: EndpointConfig, names: Names): BridgeEndpoint {
  const { containerId, interfaceName, ipv4, ipv6, network } = config;
  const address = ipv4 ?? ipv6;
  if (address === null) {
    throw new TsdError('TSD_NETWORK', `an endpoint of bridge ${networkName(network)} needs an address`, {
      class: 'invalid',
    });
  }
  const id = endpointId(containerId, interfaceName);
  const mac = (config.mac ?? macOfAddress(bareAddress(address))).toLowerCase();
  return { ...config, id, host: names.veth(id), mac };
}
