/** What a caller may hand to the driver; text that reaches the kernel or libnftables has passed here. */
import { isIPv6 } from 'node:net';
import { bareAddress, containsAddress, type Family, parseAddress, parseCidr } from '../../../model/addresses.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { isProtocol } from '../../../model/kinds/short-forms.ts';
import { networkName } from '../../../model/networks/network-name.ts';
import type { PublishedPort } from '../../contract/network.ts';
import { checkContainerId } from '../container-id.ts';
import type { BridgeEndpoint } from './endpoints/bridge-endpoint.ts';
import { hasIpv6, MIN_IPV6_MTU } from './link-local.ts';
import { checkInterfaceName } from './names.ts';
import type { BridgeNetwork, BridgeRange } from './network-options.ts';

const MAC_PATTERN = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
/** RFC 791: every host takes packets of 68 bytes; IP_MAX_MTU. */
const MIN_MTU = 68;
const MAX_MTU = 65535;

const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];

function invalid(message: string): TsdError {
  return new TsdError('TSD_NETWORK', message, { class: 'invalid' });
}

export function checkNetwork(config: BridgeNetwork): void {
  checkInterfaceName(config.bridge);
  for (const family of FAMILIES) checkRange(config[family], family);
  if (!Number.isInteger(config.mtu) || config.mtu < MIN_MTU || config.mtu > MAX_MTU) {
    throw invalid(`mtu ${config.mtu} is not between ${MIN_MTU} and ${MAX_MTU}`);
  }
  if (config.ipv6 === null) return;
  if (config.mtu < MIN_IPV6_MTU) throw invalid(`IPv6 needs an mtu of ${MIN_IPV6_MTU} or more, not ${config.mtu}`);
  if (hasIpv6()) return;
  throw new TsdError('TSD_NETWORK', `${networkName(config.key)} has IPv6, which this host does not`, {
    class: 'unsupported',
    hint: 'Start the host without `ipv6.disable=1`, or write `ipv6: false` for the network.',
  });
}

function checkRange(range: BridgeRange | null, family: Family): void {
  if (range === null) return;
  const { subnet, gateway } = range;
  if (parseCidr(subnet, family) === null) throw invalid(`${JSON.stringify(subnet)} is not a subnet`);
  if (!containsAddress(subnet, gateway)) {
    throw invalid(`gateway ${JSON.stringify(gateway)} is not an address of ${subnet}`);
  }
}

export function checkPublishedPort({ hostIp, hostPort, containerPort, protocol }: PublishedPort): void {
  if (parseAddress(hostIp, 'ipv4') === null && !isIPv6(hostIp))
    throw invalid(`${JSON.stringify(hostIp)} is not an address`);
  checkPortNumber(hostPort);
  checkPortNumber(containerPort);
  checkProtocol(protocol);
}

function checkPortNumber(port: number): void {
  if (!Number.isInteger(port) || port < 1 || port > 65535) throw invalid(`${port} is not a port`);
}

function checkProtocol(protocol: string): void {
  if (!isProtocol(protocol)) throw invalid(`${JSON.stringify(protocol)} is not tcp, udp or sctp`);
}

function checkAddress(address: string | null, range: BridgeRange | null, network: string): void {
  if (address === null) return;
  if (range === null) throw invalid(`${networkName(network)} has no addresses like ${address}`);
  if (parseCidr(address) === null || !containsAddress(range.subnet, bareAddress(address))) {
    throw invalid(`${JSON.stringify(address)} is not an address of ${range.subnet}`);
  }
}

export function checkEndpoint(config: BridgeEndpoint, network: BridgeNetwork): void {
  checkContainerId(config.containerId);
  checkInterfaceName(config.interfaceName);
  for (const family of FAMILIES) checkAddress(config[family], network[family], config.network);
  if (!MAC_PATTERN.test(config.mac)) throw invalid(`${JSON.stringify(config.mac)} is not a MAC address`);
  config.ports.forEach(checkPublishedPort);
  if (network.internal && config.ports.length > 0) {
    throw invalid(`${config.network} is internal: a container on it cannot publish ports`);
  }
  for (const { address, port, protocol } of config.reach) {
    if (parseAddress(address) === null) throw invalid(`${JSON.stringify(address)} is not an address`);
    checkPortNumber(port);
    checkProtocol(protocol);
  }
}
