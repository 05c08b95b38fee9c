/**
 * How a port is published: rules where the kernel can do it, a relay where it cannot. Pure.
 *
 * The kernel's NAT covers every address of the host in the families that the container has. A listener that is relayed does
 * the rest: ::1 and link-local addresses, which NAT cannot do (published on every address means also [::]), the family
 * that the container does not have, 127.0.0.1 on a bridge that is not ours (it needs a setting of the bridge), and
 * everything when rules are switched off. SCTP has no listeners.
 */
import { bareAddress, canonicalAddress } from '../../../model/addresses.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { isProtocol } from '../../../model/kinds/short-forms.ts';
import { ANY_IPV4, ANY_IPV6, beforePort, shareAddress } from '../../../model/networks/host-addresses.ts';
import type { EndpointConfig, PublishedPort } from '../../contract/network.ts';
import type { BoundRelay } from '../../contract/relay.ts';
import { relayKey } from '../relay-key.ts';
import { type Element, identityOf } from './firewall/ruleset.ts';

export type Listener = BoundRelay;

export interface PublishOptions {
  /** False: no packet filter (--iptables=false). */
  readonly rules: boolean;
  /** The bridge is not ours. */
  readonly foreign: boolean;
  /** The host has IPv6. */
  readonly ipv6: boolean;
  /** Families whose packets are routed to containers: ports are open at their own addresses, and the host has none. */
  readonly routed: { readonly ipv4: boolean; readonly ipv6: boolean };
}

export interface Publication {
  readonly elements: readonly Element[];
  readonly listeners: readonly Listener[];
}

/** Addresses of a container, without prefix length. */
export interface Addresses {
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

const LOOPBACK = '127.0.0.1';

export function isIpv6(address: string): boolean {
  return address.includes(':');
}

/** What NAT of IPv6 leaves alone: ::1 and fe80::/10. */
function isOutsideNat(address: string): boolean {
  return address === '::1' || /^fe[89ab]/i.test(address);
}

/** Host addresses of both families that a port published on `hostIp` is published on. */
function hostAddresses(hostIp: string, ipv6: boolean): string[] {
  return hostIp === ANY_IPV4 && ipv6 ? [ANY_IPV4, ANY_IPV6] : [canonicalAddress(hostIp) ?? hostIp];
}

/** What a listener is bound to for a port published at this address; null where the kernel does it all. */
function listenerAddress(at: string, hasTarget: boolean, { rules, foreign }: PublishOptions): string | null {
  if (!rules || !hasTarget) return at;
  if (isIpv6(at)) return at === ANY_IPV6 || isOutsideNat(at) ? at : null;
  if (!foreign) return null;
  return at === ANY_IPV4 ? LOOPBACK : at.startsWith('127.') ? at : null;
}

/** Addresses a real bind must succeed on before a port may be published. */
export function boundAddresses(hostIp: string, options: PublishOptions): string[] {
  return hostAddresses(hostIp, options.ipv6).filter((at) => !options.routed[isIpv6(at) ? 'ipv6' : 'ipv4']);
}

function addressesOf({ ipv4, ipv6 }: Pick<EndpointConfig, 'ipv4' | 'ipv6'>): Addresses {
  return { ipv4: ipv4 && bareAddress(ipv4), ipv6: ipv6 && bareAddress(ipv6) };
}

export function publish(config: Pick<EndpointConfig, 'ipv4' | 'ipv6' | 'ports'>, options: PublishOptions): Publication {
  const own = addressesOf(config);
  // By identity: a port on 0.0.0.0 is on [::] too, where another line may say so as well.
  const elements = new Map<string, Element>();
  const add = (element: Element): void => {
    elements.set(identityOf(element), element);
  };
  const listeners = new Map<string, Listener>();
  for (const port of config.ports) {
    for (const at of hostAddresses(port.hostIp, options.ipv6)) {
      const family = isIpv6(at) ? 'ipv6' : 'ipv4';
      if (options.routed[family] && own[family] !== null) {
        const isAny = at === ANY_IPV4 || at === ANY_IPV6;
        if (options.rules && isAny) add(serviceElement(port, own[family]));
        continue;
      }
      if (options.rules && own[family] !== null && !isOutsideNat(at)) add(natElement(port, at, own[family]));
      const bound = listenerAddress(at, own[family] !== null, options);
      const address = own[family] ?? own.ipv4 ?? own.ipv6;
      if (bound === null || address === null || port.protocol === 'sctp') continue;
      const target = { address, port: port.containerPort };
      const listener = { address: bound, port: port.hostPort, protocol: port.protocol, target };
      listeners.set(relayKey(listener), listener);
      if (options.rules && family === 'ipv4') {
        add({ set: 'userland', key: [port.protocol, String(port.hostPort)], value: null });
      }
    }
  }
  return { elements: [...elements.values()], listeners: [...listeners.values()] };
}

function natElement(port: PublishedPort, at: string, address: string): Element {
  const service = [port.protocol, String(port.hostPort)];
  const value = [address, String(port.containerPort)];
  if (at === ANY_IPV4) return { set: 'ports_any', key: service, value };
  if (at === ANY_IPV6) return { set: 'ports6_any', key: service, value };
  return { set: isIpv6(at) ? 'ports6' : 'ports', key: [at, ...service], value };
}

function serviceElement({ protocol, containerPort }: PublishedPort, address: string): Element {
  const set = isIpv6(address) ? 'services6' : 'services';
  return { set, key: [address, protocol, String(containerPort)], value: null };
}

/**
 * @param isTracked whether the kernel knows connections of SCTP; null where that is not known
 * @throws TsdError TSD_NETWORK, unsupported, for a port of SCTP that only a listener could publish, or nothing.
 */
export function checkSctp(port: PublishedPort, { elements }: Publication, isTracked: boolean | null): void {
  if (port.protocol !== 'sctp') return;
  const where = `${beforePort(port.hostIp)}:${port.hostPort}/sctp`;
  const refused = (why: string, hint: string) =>
    new TsdError('TSD_NETWORK', `${where} cannot be published: ${why}`, {
      class: 'unsupported',
      step: `publish ${where}`,
      hint,
    });
  if (elements.length === 0) {
    const hint =
      'NAT needs the packet filter (no --iptables=false), an address of a family that the network has, and not ::1.';
    throw refused("SCTP needs the kernel's NAT", hint);
  }
  if (isTracked === false && elements.some((element) => portOfElement(element) !== null)) {
    const hint = 'Boot a kernel with CONFIG_NF_CT_PROTO_SCTP, or use a network with gatewayMode: routed.';
    throw refused('this kernel does not translate SCTP', hint);
  }
}

/** Addresses at which a map publishes what has none in its key. */
const EVERYWHERE: Readonly<Record<string, string>> = { ports_any: ANY_IPV4, ports6_any: ANY_IPV6 };

/** The port a map element publishes; null for elements of other sets. */
export function portOfElement({ set, key, value }: Element): PublishedPort | null {
  const any = EVERYWHERE[set];
  if (any === undefined && set !== 'ports' && set !== 'ports6') return null;
  const [hostIp = '', protocol = '', hostPort] = any === undefined ? key : [any, ...key];
  if (!isProtocol(protocol)) return null;
  return { hostIp, hostPort: Number(hostPort), containerPort: Number(value?.[1]), protocol };
}

/** True when the two cannot both be published. */
export function collide(a: PublishedPort, b: PublishedPort): boolean {
  return a.protocol === b.protocol && a.hostPort === b.hostPort && shareAddress(a.hostIp, b.hostIp);
}
