/** What a caller may hand to the driver; text that reaches the kernel or libnftables has passed here. */
import { isIPv6 } from 'node:net';
import { bareAddress, containsAddress, parseAddress, parseCidr } from '../../../model/addresses.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { PublishedPort } from '../../contract/network.ts';
import { checkContainerId } from '../container-id.ts';
import type { BridgeEndpoint } from './bridge-endpoint.ts';
import { checkInterfaceName } from './names.ts';
import type { BridgeNetwork } from './network-options.ts';

const MAC_PATTERN = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i;
/** RFC 791: every host takes packets of 68 bytes; IP_MAX_MTU. */
const MIN_MTU = 68;
const MAX_MTU = 65535;

function invalid(message: string): TsdError {
  return new TsdError('TSD_NETWORK', message, { class: 'invalid' });
}

export function checkNetwork(config: BridgeNetwork): void {
  checkInterfaceName(config.bridge);
  if (parseCidr(config.subnet, 'ipv4') === null) throw invalid(`${JSON.stringify(config.subnet)} is not a subnet`);
  if (!containsAddress(config.subnet, config.gateway)) {
    throw invalid(`gateway ${JSON.stringify(config.gateway)} is not an address of ${config.subnet}`);
  }
  if (!Number.isInteger(config.mtu) || config.mtu < MIN_MTU || config.mtu > MAX_MTU) {
    throw invalid(`mtu ${config.mtu} is not between ${MIN_MTU} and ${MAX_MTU}`);
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
  if (protocol !== 'tcp' && protocol !== 'udp') throw invalid(`${JSON.stringify(protocol)} is not tcp or udp`);
}

export function checkEndpoint(config: BridgeEndpoint, network: BridgeNetwork): void {
  checkContainerId(config.containerId);
  if (parseCidr(config.address, 'ipv4') === null || !containsAddress(network.subnet, bareAddress(config.address))) {
    throw invalid(`${JSON.stringify(config.address)} is not an address of ${network.subnet}`);
  }
  if (!MAC_PATTERN.test(config.mac)) throw invalid(`${JSON.stringify(config.mac)} is not a MAC address`);
  config.ports.forEach(checkPublishedPort);
  if (network.internal && config.ports.length > 0) {
    throw invalid(`${config.network} is internal: a container on it cannot publish ports`);
  }
  for (const { address, port, protocol } of config.reach) {
    if (parseAddress(address, 'ipv4') === null) throw invalid(`${JSON.stringify(address)} is not an address`);
    checkPortNumber(port);
    checkProtocol(protocol);
  }
}
