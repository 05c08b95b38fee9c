/** What endpoints lack and which published ports are in effect, from what is seen in the kernel and in this process. Pure. */
import type { PublishedPort } from '../../contract/network.ts';
import { type Element, identityOf } from './firewall/ruleset.ts';
import type { BridgeNetwork } from './network-options.ts';
import { type Listener, listenerKey, type Publication, portOfElement } from './publication.ts';

/** Returns the ports that the rules publish, for a container whose endpoint this process does not know yet. */
export function portsOfElements(elements: readonly Element[]): PublishedPort[] {
  return elements.flatMap((element) => portOfElement(element) ?? []);
}

/** The address rules of a container lead to; null when it has none. */
export function addressOfElements(elements: readonly Element[]): string | null {
  return elements.find((element) => portOfElement(element) !== null)?.value?.[0] ?? null;
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
  const listeners = new Set(present.listeners.map(listenerKey));
  return ports.filter((port) => {
    const parts = partsOf(port);
    return (
      parts.elements.every((element) => elements.has(identityOf(element))) &&
      parts.listeners.every((listener) => listeners.has(listenerKey(listener)))
    );
  });
}

/** One of our endpoints as the kernel has it. */
export interface SeenEndpoint {
  readonly containerId: string;
  /** Host's end of the pair; null when it is gone. */
  readonly hostInterface: string | null;
  readonly bridge: string | null;
  readonly up: boolean;
  /** IPv4 addresses in the sandbox, with prefix length; null when the sandbox is not held. */
  readonly addresses: readonly string[] | null;
  /** Destinations of routes that `attach` added and that the last check did not find. */
  readonly missingRoutes: readonly string[];
  readonly ports: readonly PublishedPort[];
}

export const UNCONNECTED: Omit<SeenEndpoint, 'containerId'> = {
  hostInterface: null,
  bridge: null,
  up: false,
  addresses: null,
  missingRoutes: [],
  ports: [],
};

/** @param wanted what the endpoint is attached to; null when that is unknown */
export function endpointDrift(
  { hostInterface, bridge, up, addresses, missingRoutes }: SeenEndpoint,
  wanted: { readonly bridge: string; readonly address: string } | null,
): string[] {
  if (hostInterface === null) return ['veth missing'];
  const drift: string[] = [];
  if (wanted !== null && bridge !== wanted.bridge) drift.push(`veth not on ${wanted.bridge}`);
  if (!up) drift.push('interface down');
  if (wanted !== null && addresses?.includes(wanted.address) === false) drift.push(`address ${wanted.address} missing`);
  for (const route of missingRoutes) {
    drift.push(route === '0.0.0.0/0' ? 'default route missing' : `route to ${route} missing`);
  }
  return drift;
}

/** @param bridge null when it is gone */
export function networkDrift(
  { foreign, gateway }: Pick<BridgeNetwork, 'foreign' | 'gateway'>,
  bridge: { readonly up: boolean; readonly addresses: readonly string[] } | null,
  rules: boolean,
): readonly string[] {
  const hasAddress = bridge?.addresses.some((address) => address.startsWith(`${gateway}/`)) === true;
  const isWhole = foreign || (bridge?.up === true && hasAddress);
  return rules && isWhole ? [] : BROKEN;
}

export const BROKEN: readonly string[] = ['bridge or rules'];
