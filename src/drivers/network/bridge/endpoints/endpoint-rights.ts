/** Whom an endpoint may reach, by which addresses, and what is left of its rules when its ports go. */
import type { AddressMoves } from '../address-moves.ts';
import { fenceElements, isFenced, reachElements, unfenced } from '../firewall/elements.ts';
import type { Firewall } from '../firewall/firewall.ts';
import { type Element, endpointOwner, isPort } from '../firewall/ruleset.ts';
import type { EndpointId } from '../names.ts';
import type { BridgeNetwork } from '../network-options.ts';
import type { BridgeEndpoint } from './bridge-endpoint.ts';

/**
 * A container that runs since a version without fences in open networks stays without one until its next start.
 * @param resumed holds the rules that a container runs by which an earlier supervisor attached; null for one that is attached now
 */
export function rightsOf(
  config: BridgeEndpoint,
  network: BridgeNetwork,
  moves: AddressMoves,
  resumed: Firewall | null,
): Element[] {
  const { host } = config;
  const held = resumed?.wanted.get(endpointOwner(config.id)) ?? [];
  const isAdopted = held.some(({ set }) => set === 'unfenced') || (resumed?.tookOverEarlier && !isFenced(held));
  const reach = reachElements(config, network);
  if (network.icc && network.spoofing) return reach;
  if (isAdopted && network.icc) return [...reach, unfenced(host)];
  return [...reach, ...fenceElements(config, host, moves.addressesOf(host))];
}

/** What an endpoint keeps when its ports go: the ways to its links. */
export function linksOf(id: EndpointId, firewall: Firewall | null): Element[] {
  return [...(firewall?.wanted.get(endpointOwner(id)) ?? [])].filter((element) => !isPort(element));
}
