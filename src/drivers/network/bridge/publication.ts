/**
 * How a port is published: rules where the kernel can do it, a listener of ours where it cannot. Pure.
 *
 * The kernel's NAT covers every IPv4 address of the host. A listener in this process does the rest: IPv6 (published on
 * every address means also [::] and so [::1]; containers have IPv4 only), 127.0.0.1 on a bridge that is not ours (it
 * needs a setting of the bridge), and everything when rules are switched off. Listeners end with the supervisor and
 * come back when it attaches the endpoint again.
 */
import { bareAddress } from '../../../model/addresses.ts';
import type { PublishedPort } from '../../contract/network.ts';
import type { BridgeEndpoint } from './bridge-endpoint.ts';
import type { Element } from './firewall/ruleset.ts';

export interface Listener {
  readonly address: string;
  readonly port: number;
  readonly protocol: 'tcp' | 'udp';
  /** Container's address and port. */
  readonly target: { readonly address: string; readonly port: number };
}

export interface PublishOptions {
  /** False: no packet filter (--iptables=false). */
  readonly rules: boolean;
  /** The bridge is not ours. */
  readonly foreign: boolean;
  /** The host has IPv6. */
  readonly ipv6: boolean;
}

export interface Publication {
  readonly elements: readonly Element[];
  readonly listeners: readonly Listener[];
}

export const ANY_IPV4 = '0.0.0.0';
const ANY_IPV6 = '::';
const LOOPBACK = '127.0.0.1';

export function isIpv6(address: string): boolean {
  return address.includes(':');
}

/** Host addresses that are bound by listeners for a port published on `hostIp`. */
function listenerAddresses(hostIp: string, { rules, foreign, ipv6 }: PublishOptions): string[] {
  if (isIpv6(hostIp)) return [hostIp];
  if (hostIp !== ANY_IPV4) return rules && !(foreign && hostIp.startsWith('127.')) ? [] : [hostIp];
  return [...(rules ? (foreign ? [LOOPBACK] : []) : [ANY_IPV4]), ...(ipv6 ? [ANY_IPV6] : [])];
}

/** Addresses a real bind must succeed on before a port may be published. */
export function boundAddresses(hostIp: string, options: PublishOptions): string[] {
  return [...new Set([hostIp, ...listenerAddresses(hostIp, options)])];
}

export function publish(config: Pick<BridgeEndpoint, 'address' | 'ports'>, options: PublishOptions): Publication {
  const address = bareAddress(config.address);
  const elements: Element[] = [];
  const listeners = new Map<string, Listener>();
  for (const port of config.ports) {
    const target = { address, port: port.containerPort };
    for (const bound of listenerAddresses(port.hostIp, options)) {
      const listener = { address: bound, port: port.hostPort, protocol: port.protocol, target };
      listeners.set(listenerKey(listener), listener);
      if (options.rules && !isIpv6(bound)) {
        elements.push({ set: 'userland', key: [port.protocol, String(port.hostPort)], value: null });
      }
    }
    if (options.rules && !isIpv6(port.hostIp)) elements.push(natElement(port, address));
  }
  return { elements, listeners: [...listeners.values()] };
}

function natElement(port: PublishedPort, address: string): Element {
  const service = [port.protocol, String(port.hostPort)];
  const value = [address, String(port.containerPort)];
  return port.hostIp === ANY_IPV4
    ? { set: 'ports_any', key: service, value }
    : { set: 'ports', key: [port.hostIp, ...service], value };
}

/** Equal strings, same socket. */
export function listenerKey({ address, port, protocol }: Pick<Listener, 'address' | 'port' | 'protocol'>): string {
  return `${protocol} ${address} ${port}`;
}

/** The port a map element publishes; null for elements of other sets. */
export function portOfElement({ set, key, value }: Element): PublishedPort | null {
  const [hostIp, protocol, hostPort] = set === 'ports' ? key : [ANY_IPV4, ...key];
  if ((set !== 'ports' && set !== 'ports_any') || (protocol !== 'tcp' && protocol !== 'udp')) return null;
  return { hostIp: hostIp as string, hostPort: Number(hostPort), containerPort: Number(value?.[1]), protocol };
}

/** True when the two cannot both be published: one address, or one of them every address. */
export function collide(a: PublishedPort, b: PublishedPort): boolean {
  if (a.protocol !== b.protocol || a.hostPort !== b.hostPort) return false;
  const [first, second] = [a.hostIp, b.hostIp];
  if (first === second || first === ANY_IPV4 || second === ANY_IPV4) return true;
  return (first === ANY_IPV6 && isIpv6(second)) || (second === ANY_IPV6 && isIpv6(first));
}
