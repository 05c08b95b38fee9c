/**
 * Takes everything of one supervisor out of the host's network, in an order that is safe to be interrupted anywhere: settings
 * are restored first, while the rules that guard them exist. The next start recreates what is missing.
 */
import { listAddresses } from '../../../ffi/network/link-addresses.ts';
import { deleteLink, deleteLinkGroup, type Link, listLinks } from '../../../ffi/network/links.ts';
import { type Family, isLinkLocal } from '../../../model/addresses.ts';
import { deleteUnlessGone } from '../link-removal.ts';
import type { BridgeLinks } from './bridge-links.ts';
import type { Firewall } from './firewall/firewall.ts';
import { NO_PASSAGE, openNeighbours } from './firewall/firewall-neighbours.ts';
import { FORWARDING, type HostSettings } from './host-settings.ts';
import type { Names } from './names.ts';

export interface HostParts {
  readonly names: Names;
  readonly bridges: BridgeLinks;
  readonly settings: HostSettings;
  /** Null where rules are switched off. */
  readonly firewall: Firewall | null;
}

/** Returns what stays, in sentences. @throws TsdError of the first failed step; later steps were not run. */
export function giveBack({ names, bridges, settings, firewall }: HostParts): string[] {
  const links = listLinks(bridges.socket);
  const ours = links.filter((link) => bridges.keyOf(link) !== null);
  const stays: string[] = [];
  for (const { name } of ours) settings.restoreBridge(name);
  for (const family of ['ipv4', 'ipv6'] as const) {
    const users = settings.hasChanged(FORWARDING[family]) ? forwardingUsers(bridges, links, family) : [];
    const setting = `net.${FORWARDING[family].replaceAll('/', '.')}`;
    if (users.length > 0) stays.push(`${setting} stays on, which was off: ${users.join(', ')} may rely on it`);
    else if (family === 'ipv4') settings.restore(FORWARDING.ipv4);
    else settings.restoreIpv6Forwarding(links.map(({ name }) => name));
  }
  if (firewall !== null) {
    openNeighbours((step, commands) => firewall.run(step, commands), names, NO_PASSAGE);
    firewall.removeAll();
  }
  const isEndpoint = ({ name, group }: Link) => names.isVeth(name) && group === names.group;
  const going = links.filter(isEndpoint);
  for (const bridge of ours) {
    const foreign = links.filter((link) => link.master === bridge.index && !isEndpoint(link));
    if (foreign.length === 0) going.push(bridge);
    else stays.push(`bridge ${bridge.name} stays: ${foreign.map(({ name }) => name).join(', ')} is plugged into it`);
  }
  removeLinks(bridges, names.group, going, links);
  return stays;
}

/** In one request where nothing else is in their group: one by one, a thousand take the kernel twenty seconds. */
function removeLinks(bridges: BridgeLinks, group: number, going: readonly Link[], all: readonly Link[]): void {
  const indexes = new Set(going.map(({ index }) => index));
  if (all.some((link) => link.group === group && !indexes.has(link.index))) {
    for (const link of going) deleteUnlessGone(bridges.socket, deleteLink(link.index, link.name));
  } else if (going.length > 0) deleteUnlessGone(bridges.socket, deleteLinkGroup(group));
}

/** Bridges of others with an address: who made them found that the host forwards, and did not have to see to it. */
function forwardingUsers(bridges: BridgeLinks, links: readonly Link[], family: Family): string[] {
  const addresses = listAddresses(bridges.socket, family).filter(({ address }) => !isLinkLocal(address));
  const addressed = new Set(addresses.map(({ link }) => link));
  return links
    .filter((link) => link.kind === 'bridge' && bridges.keyOf(link) === null && addressed.has(link.index))
    .map(({ name }) => name);
}
