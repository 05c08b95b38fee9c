/** What the rules know of networks and endpoints. Pure. */

import { bareAddress, networkOf } from '../../../../model/addresses.ts';
import type { BridgeEndpoint } from '../bridge-endpoint.ts';
import type { BridgeNetwork } from '../network-options.ts';
import type { SetName } from './layout.ts';
import { type Element, isFence, type Owner } from './ruleset.ts';

const element = (set: SetName, ...key: readonly string[]): Element => ({ set, key, value: null });

/** Of every IPv4 range a network may have. A foreign bridge leads to others' machines, whose addresses we do not know. */
const ANY_SOURCE = '0.0.0.0/0';
const ANY_SOURCE6 = '::/0';

export function networkElements(config: BridgeNetwork): Element[] {
  const { bridge, foreign, icc, internal, masquerade } = config;
  const subnet = networkOf(config.subnet);
  const elements = [
    element('bridges', bridge),
    element('ranges', bridge, foreign ? ANY_SOURCE : subnet),
    element('subnets', subnet),
  ];
  if (foreign) elements.push(element('ranges6', bridge, ANY_SOURCE6));
  if (icc) elements.push(element('open', bridge, bridge));
  if (internal) elements.push(element('internal', bridge));
  if (masquerade && !internal) elements.push(element('outbound', subnet));
  return elements;
}

/** Networks of an earlier version, which did not look at sources: until each is set up they may have any. */
export function withAnySource(owned: ReadonlyMap<Owner, readonly Element[]>): Map<Owner, readonly Element[]> {
  return new Map(
    [...owned].map(([owner, elements]) => {
      const bridges = elements.filter(({ set }) => set === 'bridges').flatMap(({ key }) => key);
      const sources = bridges.flatMap((bridge) => [
        element('ranges', bridge, ANY_SOURCE),
        element('ranges6', bridge, ANY_SOURCE6),
      ]);
      return [owner, [...elements, ...sources]];
    }),
  );
}

/** Ways of an endpoint to its links, in a network whose containers do not reach each other otherwise. */
export function reachElements({ address, reach }: BridgeEndpoint, { bridge }: BridgeNetwork): Element[] {
  const source = bareAddress(address);
  return reach.map((link) => element('reach', bridge, source, link.address, link.protocol, String(link.port)));
}

/**
 * What keeps an endpoint to its addresses. To let it have another one for a time, add an element of `leased` (or `leased6`)
 * with its interface, its MAC and that address to the elements of its owner; two endpoints may have the same address so.
 * @param hostInterface the host's end of its pair
 */
export function fenceElements({ address, mac }: BridgeEndpoint, hostInterface: string): Element[] {
  return [element('fenced', hostInterface), element('leased', hostInterface, mac.toLowerCase(), bareAddress(address))];
}

/** The mark of an endpoint that runs without a fence since an earlier version. */
export function unfenced(hostInterface: string): Element {
  return element('unfenced', hostInterface);
}

/** Reports whether these elements of an endpoint keep it to its addresses. */
export function isFenced(elements: readonly Element[]): boolean {
  return elements.some((one) => isFence(one) && one.set !== 'unfenced');
}
