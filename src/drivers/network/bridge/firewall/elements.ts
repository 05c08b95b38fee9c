/** What the rules know of networks and endpoints. Pure. */

import { bareAddress, familyOf, linkLocalOf, networkOf } from '../../../../model/addresses.ts';
import { append } from '../../../../model/lists.ts';
import type { BridgeEndpoint } from '../endpoints/bridge-endpoint.ts';
import type { BridgeNetwork } from '../network-options.ts';
import type { SetName } from './layout.ts';
import { type Element, isFence, type Owner } from './ruleset.ts';

const element = (set: SetName, ...key: readonly string[]): Element => ({ set, key, value: null });

/** The sets of each family of addresses. */
const FAMILIES = {
  ipv4: {
    proto: 'ipv4',
    ranges: 'ranges',
    subnets: 'subnets',
    outbound: 'outbound',
    reach: 'reach',
    any: '0.0.0.0/0',
    own: [],
  },
  ipv6: {
    proto: 'ipv6',
    ranges: 'ranges6',
    subnets: 'subnets6',
    outbound: 'outbound6',
    reach: 'reach6',
    any: '::/0',
    // Neighbours are asked for from link-local addresses, and from none at all.
    own: ['fe80::/10', '::'],
  },
} as const;

type Sets = (typeof FAMILIES)['ipv4' | 'ipv6'];

function rangeElements(config: BridgeNetwork, subnet: string, sets: Sets): Element[] {
  const { bridge, internal, masquerade, directAccess } = config;
  const mode = sets.proto === 'ipv4' ? config.gatewayMode4 : config.gatewayMode6;
  const elements = [element(sets.subnets, subnet)];
  // A foreign bridge leads to machines of others, whose addresses are not known here.
  const sources = config.foreign || config.spoofing ? [sets.any] : [subnet, ...sets.own];
  for (const source of sources) elements.push(element(sets.ranges, bridge, source));
  if (mode === 'isolated') elements.push(element('isolated', bridge, sets.proto));
  if (internal || mode === 'isolated') return elements;
  if (masquerade && mode !== 'routed') elements.push(element(sets.outbound, subnet));
  if (mode === 'routed') elements.push(element('routed', bridge, sets.proto));
  if (mode === 'nat-unprotected' || directAccess) elements.push(element('exposed', bridge, sets.proto));
  return elements;
}

export function networkElements(config: BridgeNetwork): Element[] {
  const { bridge, foreign, icc, internal, metadata, hostAccess } = config;
  const elements = [element('bridges', bridge)];
  for (const family of ['ipv4', 'ipv6'] as const) {
    const subnet = config[family]?.subnet;
    if (subnet !== undefined) append(elements, rangeElements(config, networkOf(subnet), FAMILIES[family]));
  }
  if (foreign && config.ipv6 === null) elements.push(element('ranges6', bridge, FAMILIES.ipv6.any));
  if (icc) elements.push(element('open', bridge, bridge));
  if (internal) elements.push(element('internal', bridge));
  if (!metadata) elements.push(element('metadata_closed', bridge));
  if (!hostAccess) elements.push(element('hostless', bridge));
  return elements;
}

/** Networks of an earlier version, which did not look at sources: until each is set up they may have any. */
export function withAnySource(owned: ReadonlyMap<Owner, readonly Element[]>): Map<Owner, readonly Element[]> {
  return new Map(
    [...owned].map(([owner, elements]) => {
      const bridges = elements.filter(({ set }) => set === 'bridges').flatMap(({ key }) => key);
      const sources = bridges.flatMap((bridge) => [
        element('ranges', bridge, FAMILIES.ipv4.any),
        element('ranges6', bridge, FAMILIES.ipv6.any),
      ]);
      return [owner, [...elements, ...sources]];
    }),
  );
}

/** Ways of an endpoint to its links, in a network whose containers do not reach each other otherwise. */
export function reachElements(endpoint: BridgeEndpoint, { bridge }: BridgeNetwork): Element[] {
  const sources = addressesOf(endpoint);
  return endpoint.reach.flatMap(({ address, port, protocol }) => {
    const family = familyOf(address);
    const set = FAMILIES[family].reach;
    return sources
      .filter((source) => familyOf(source) === family)
      .map((source) => element(set, bridge, source, address, protocol, String(port)));
  });
}

/** Those that its connections may have: also what it had before it took over the ones of its predecessor. */
function addressesOf({ ipv4, ipv6, former }: BridgeEndpoint): string[] {
  const all = [ipv4, ipv6, former?.ipv4 ?? null, former?.ipv6 ?? null];
  return all.flatMap((address) => (address === null ? [] : bareAddress(address)));
}

/**
 * What keeps an endpoint to its addresses. Two endpoints may have the same one while it moves.
 * @param hostInterface the host's end of its pair
 * @param moving addresses that move from or to it: more than its configuration has, where an earlier supervisor moved one
 */
export function fenceElements(
  endpoint: BridgeEndpoint,
  hostInterface: string,
  moving: readonly string[] = [],
): Element[] {
  const { ipv6, mac } = endpoint;
  const onLink = ipv6 === null ? [] : [bareAddress(linkLocalOf(mac))];
  const leased = [...new Set([...addressesOf(endpoint), ...onLink, ...moving])].map((address) =>
    element(familyOf(address) === 'ipv6' ? 'leased6' : 'leased', hostInterface, mac, address),
  );
  return [element('fenced', hostInterface), ...leased];
}

/** The mark of an endpoint that runs without a fence since an earlier version. */
export function unfenced(hostInterface: string): Element {
  return element('unfenced', hostInterface);
}

/** Reports whether these elements of an endpoint keep it to its addresses. */
export function isFenced(elements: readonly Element[]): boolean {
  return elements.some((one) => isFence(one) && one.set !== 'unfenced');
}
