/** What endpoints lack and which published ports are in effect, from what is seen in the kernel and of relays. Pure. */
import type { LinkAddress } from '../../../ffi/network/link-addresses.ts';
import type { PublishedPort } from '../../contract/network.ts';
import { relayKey } from '../relay-key.ts';
import type { Fact } from '../sandbox-routes.ts';
import { type Element, identityOf } from './firewall/ruleset.ts';
import { bridgeAddresses, foreignDefaults, type WantedInside } from './inside.ts';
import type { EndpointId } from './names.ts';
import type { BridgeNetwork } from './network-options.ts';
import { type Addresses, isIpv6, type Listener, type Publication, portOfElement } from './publication.ts';

/** Returns the ports that the rules publish, for a container whose endpoint this process does not know yet. */
export function portsOfElements(elements: readonly Element[]): PublishedPort[] {
  return elements.flatMap((element) => portOfElement(element) ?? []);
}

/** The addresses that rules of a container lead to. */
export function addressesOfElements(elements: readonly Element[]): Addresses {
  const targets = elements.flatMap((element) => (portOfElement(element) === null ? [] : (element.value?.[0] ?? [])));
  const [ipv4 = null, ipv6 = null] = [
    targets.find((target) => !isIpv6(target)),
    targets.find((target) => isIpv6(target)),
  ];
  return { ipv4, ipv6 };
}

/**
 * The ports of which every part, elements and listeners, is there.
 * @param partsOf what it takes to publish one port.
 */
export function effectivePorts(
  ports: readonly PublishedPort[],
  partsOf: (port: PublishedPort) => Publication,
  present: { readonly elements: readonly Element[]; readonly listeners: readonly Listener[] },
): PublishedPort[] {
  const elements = new Set(present.elements.map(identityOf));
  const listeners = new Set(present.listeners.map(relayKey));
  return ports.filter((port) => {
    const parts = partsOf(port);
    return (
      parts.elements.every((element) => elements.has(identityOf(element))) &&
      parts.listeners.every((listener) => listeners.has(relayKey(listener)))
    );
  });
}

/** One of our endpoints as the kernel has it. */
export interface SeenEndpoint {
  readonly id: EndpointId;
  /** Host's end of the pair; null when it is gone. */
  readonly hostInterface: string | null;
  readonly bridge: string | null;
  readonly up: boolean;
  /** What the host's end lacks of limits and filters. */
  readonly traffic: readonly string[];
  /** {@link insideDrift} of its sandbox. */
  readonly inside: readonly string[];
  readonly ports: readonly PublishedPort[];
}

export const UNCONNECTED: Omit<SeenEndpoint, 'id'> = {
  hostInterface: null,
  bridge: null,
  up: false,
  traffic: [],
  inside: [],
  ports: [],
};

/** @param wanted the bridge of the endpoint; null when that is unknown */
export function endpointDrift(
  { hostInterface, bridge, up, traffic, inside }: SeenEndpoint,
  wanted: string | null,
): string[] {
  if (hostInterface === null) return ['veth missing'];
  const drift: string[] = [];
  if (wanted !== null && bridge !== wanted) drift.push(`veth not on ${wanted}`);
  if (!up) drift.push('interface down');
  return [...drift, ...traffic, ...inside];
}

/** A sandbox as seen; null where it is not known. */
export interface SeenInside {
  readonly addresses: readonly LinkAddress[] | null;
  readonly facts: ReadonlySet<Fact> | null;
}

/** What an endpoint lacks in its sandbox, and has too much of. */
export function insideDrift({ addresses, facts }: SeenInside, wanted: WantedInside): string[] {
  const { link } = wanted;
  const isThere = (address: string) => addresses?.some((entry) => entry.link === link && entry.address === address);
  const lacking = addresses === null ? [] : wanted.addresses.filter((address) => !isThere(address));
  const drift = lacking.map((address) => `address ${address} missing`);
  if (facts === null) return drift;
  for (const fact of wanted.facts) if (!facts.has(fact)) drift.push(missing(fact));
  if (foreignDefaults(facts, wanted).length > 0) drift.push('another default route');
  return drift;
}

function missing(fact: Fact): string {
  const [kind, destination = '', , , , table] = fact.split(' ');
  if (kind === 'link') return 'name or MAC of the interface changed';
  if (kind === 'shape') return 'limit of what it sends missing';
  if (kind === 'rule') return `rule of what comes from ${destination} missing`;
  if (table !== undefined) return `route to ${destination} of its own address missing`;
  if (destination === '0.0.0.0/0') return 'default route missing';
  return destination === '::/0' ? 'IPv6 default route missing' : `route to ${destination} missing`;
}

/** @param bridge null when it is gone */
export function networkDrift(
  { foreign, ...network }: Pick<BridgeNetwork, 'foreign' | 'ipv4' | 'ipv6' | 'gatewayMode4' | 'gatewayMode6'>,
  bridge: { readonly up: boolean; readonly addresses: readonly string[] } | null,
  rules: boolean,
): readonly string[] {
  const hasAddresses = bridgeAddresses(network).every((address) => bridge?.addresses.includes(address));
  const isWhole = foreign || (bridge?.up === true && hasAddresses);
  return rules && isWhole ? [] : BROKEN;
}

export const BROKEN: readonly string[] = ['bridge or rules'];
