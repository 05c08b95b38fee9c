import { constants } from 'node:os';
import {
  deleteAddress,
  type ListedAddress,
  listAddresses,
  newAddress,
} from '../../../../ffi/network/link-addresses.ts';
import { changeLink, deleteLink, findLink, type Link, listLinks, newVeth } from '../../../../ffi/network/links.ts';
import type { NetlinkMessage, NetlinkSocket } from '../../../../ffi/network/netlink.ts';
import { deleteRoute, listRoutes, type NewRoute, newRoute, type Route } from '../../../../ffi/network/routes.ts';
import {
  deleteSourceRule,
  listSourceRules,
  newSourceRule,
  type SourceRule,
} from '../../../../ffi/network/source-rules.ts';
import { deleteShaper, newShaper } from '../../../../ffi/network/traffic-control.ts';
import { inNetns } from '../../../../ffi/process/namespaces.ts';
import { familyOf } from '../../../../model/addresses.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import type { Sandbox } from '../../../contract/network.ts';
import { deleteUnlessGone } from '../../link-removal.ts';
import { withRouteSocket } from '../../route-socket.ts';
import { addressesOf, insideRoutes, subnetRoutes, tableOf } from '../inside.ts';
import { switchIpv6, withoutLinkLocal } from '../link-local.ts';
import { containerOf, type EndpointId, type Names } from '../names.ts';
import type { BridgeNetwork } from '../network-options.ts';
import type { BridgeEndpoint } from './bridge-endpoint.ts';
import { EXFULL, noRoom } from './room.ts';
import { shapeOf } from './shapes.ts';

/** Answered when a link has a limit of others, or none at all. */
const NO_LIMIT: readonly (number | undefined)[] = [constants.errno.ENOENT, constants.errno.EINVAL];

/** The indexes of a pair: on the host, and in the sandbox. */
export interface PairIndexes {
  readonly index: number;
  readonly inside: number;
}

/** veth pairs between bridges and sandboxes. */
export class EndpointLinks {
  readonly #names: Names;
  readonly #socket: NetlinkSocket;

  constructor(names: Names, socket: NetlinkSocket) {
    this.#names = names;
    this.#socket = socket;
  }

  /** Creates or repairs the pair of an endpoint, and says whether it was created now. */
  connect(config: BridgeEndpoint, network: BridgeNetwork, sandbox: Sandbox): PairIndexes & { created: boolean } {
    const bridge = findLink(this.#socket, network.bridge);
    if (bridge === null) {
      throw new TsdError('TSD_NETWORK', `bridge ${network.bridge} does not exist`, { class: 'precondition' });
    }
    const created = this.#create(config, network, sandbox, bridge.index);
    try {
      return { created, ...this.#configure(config, network, sandbox, { master: bridge.index, created }) };
    } catch (error) {
      if (created) this.disconnect(config.id);
      throw error;
    }
  }

  /** The pair of an endpoint; null when there is none. */
  find(endpoint: EndpointId): PairIndexes | null {
    const link = this.#own(endpoint);
    return link && { index: link.index, inside: link.peer };
  }

  /** Endpoints of a container that the kernel has. It lists all links: for containers of which nothing is known. */
  endpointsOf(containerId: string): EndpointId[] {
    return listLinks(this.#socket).flatMap((link) => {
      const endpoint = this.endpointOf(link);
      return endpoint !== null && containerOf(endpoint) === containerId ? [endpoint] : [];
    });
  }

  /** Deletes the pair of an endpoint. Takes the kernel some 20 ms, during which this thread waits. */
  disconnect(endpoint: EndpointId): void {
    const link = this.#own(endpoint);
    if (link === null) return;
    deleteUnlessGone(this.#socket, deleteLink(link.index, link.name));
  }

  /** What an endpoint leaves in a sandbox that stays: its rules do not go with its interface. */
  forgetInside(config: BridgeEndpoint, network: BridgeNetwork, link: number, sandbox: Sandbox): void {
    const { rules } = insideRoutes(config, network, link);
    if (rules.length > 0) this.#inside(sandbox, (socket) => socket.request(ruleMessages(socket, link, [])));
  }

  /** Endpoint of a link with a name like ours; null when it is none of ours, or gone. */
  endpointOfNamed(name: string): EndpointId | null {
    if (!this.#names.isVeth(name)) return null;
    const link = findLink(this.#socket, name);
    return link && this.endpointOf(link);
  }

  /** Endpoint of a link of ours; null when it is none. */
  endpointOf(link: Link): EndpointId | null {
    return link.kind === 'veth' ? this.#names.idOf('endpoint', link.alias) : null;
  }

  /** Returns false when a pair between this bridge and this sandbox is already there. */
  #create(config: BridgeEndpoint, network: BridgeNetwork, sandbox: Sandbox, master: number): boolean {
    const message = newVeth({
      name: config.host,
      mtu: network.mtu,
      group: this.#names.group,
      master,
      peer: { name: config.interfaceName, mac: config.mac, netnsFd: sandbox.netnsFd },
    });
    try {
      this.#plug(message, network);
      return true;
    } catch (error) {
      if (!(error instanceof TsdError) || error.errno !== constants.errno.EEXIST) throw error;
    }
    if (this.#connected(config, sandbox)) return false;
    this.#removeRemains(config, sandbox);
    this.#plug(message, network);
    return true;
  }

  /** Makes a pair with one end in the bridge. @throws TsdError TSD_NETWORK, class exhausted, when that has no port left. */
  #plug(message: NetlinkMessage, network: BridgeNetwork): void {
    try {
      this.#socket.request([message]);
    } catch (cause) {
      // Also foreign interfaces are plugged into it.
      throw cause instanceof TsdError && cause.errno === EXFULL ? noRoom(network, cause) : cause;
    }
  }

  #connected({ id, interfaceName }: BridgeEndpoint, sandbox: Sandbox): boolean {
    const host = this.#own(id);
    const inside = this.#inside(sandbox, (socket) => findLink(socket, interfaceName));
    return host !== null && inside !== null && host.peer === inside.index && inside.peer === host.index;
  }

  /** A pair into a namespace that is not this sandbox, or an interface in the sandbox that is not ours. */
  #removeRemains({ id, interfaceName }: BridgeEndpoint, sandbox: Sandbox): void {
    const host = this.#own(id);
    if (host !== null) deleteUnlessGone(this.#socket, deleteLink(host.index, host.name));
    this.#inside(sandbox, (socket) => {
      const inside = findLink(socket, interfaceName);
      if (inside !== null) deleteUnlessGone(socket, deleteLink(inside.index, inside.name));
    });
  }

  #configure(
    config: BridgeEndpoint,
    network: BridgeNetwork,
    sandbox: Sandbox,
    { master, created }: { readonly master: number; readonly created: boolean },
  ): PairIndexes {
    const host = findLink(this.#socket, config.host);
    if (host === null) throw new TsdError('TSD_NETWORK', 'the veth pair vanished while it was made');
    const alias = this.#names.mark('endpoint', config.id);
    const port = { isolated: !network.icc, hairpin: true };
    this.#socket.request([
      // By itself and first: settings of a port are refused on a link that is not one yet.
      ...(created ? [] : [changeLink(host.index, { master, mtu: network.mtu })]),
      ...withoutLinkLocal(host.index, network.mtu),
      ...limit(host.index, config.bandwidth?.ingressBits ?? null, network.mtu),
      changeLink(host.index, { alias, port, up: true }),
    ]);
    if (!created) this.#endLimit(this.#socket, host.index, config.bandwidth?.ingressBits ?? null);
    this.#inside(sandbox, (socket) => {
      // One that runs since a version that left it as the kernel had it keeps what it has.
      if (created || network.ipv6 !== null) switchIpv6(config.interfaceName, network);
      socket.request(insideMessages(socket, config, network, { link: host.peer, created }));
      if (!created) this.#endLimit(socket, host.peer, config.bandwidth?.egressBits ?? null);
      settle(socket, [config.interfaceName]);
    });
    settle(this.#socket, [host.name, network.bridge]);
    return { index: host.index, inside: host.peer };
  }

  /** An interface that was there may have a limit of before. */
  #endLimit(socket: NetlinkSocket, link: number, wanted: number | null): void {
    if (wanted !== null) return;
    try {
      socket.request([deleteShaper(link)]);
    } catch (error) {
      if (!(error instanceof TsdError) || !NO_LIMIT.includes(error.errno)) throw error;
    }
  }

  /** The host's end, when it is this endpoint's. @throws TsdError when the name belongs to another one. */
  #own(endpoint: EndpointId): Link | null {
    const link = findLink(this.#socket, this.#names.veth(endpoint));
    const owner = link === null ? null : this.endpointOf(link);
    if (owner === null || owner === endpoint) return link;
    const message = `interface ${link?.name} belongs to container ${containerOf(owner)}`;
    throw new TsdError('TSD_NETWORK', message, { class: 'conflict' });
  }

  #inside<T>(sandbox: Sandbox, use: (socket: NetlinkSocket) => T): T {
    return inNetns(sandbox.netnsFd, () => withRouteSocket(use));
  }
}

/**
 * The kernel notices a new carrier a little later, and until then the port drops packets: an ARP request lost there
 * delays the first connection by a second. Looking a link up makes it notice at once (rtnl_getlink, Linux 6.7).
 */
function settle(socket: NetlinkSocket, names: readonly string[]): void {
  for (const name of names) findLink(socket, name);
}

/** @param bits a second; null for none */
const limit = (link: number, bits: number | null, mtu: number): NetlinkMessage[] =>
  bits === null ? [] : [newShaper(link, shapeOf(bits, mtu))];

/** Interface up, addresses, routes; and away with what an interface that was there has besides. */
function insideMessages(
  socket: NetlinkSocket,
  config: BridgeEndpoint,
  network: BridgeNetwork,
  { link, created }: { readonly link: number; readonly created: boolean },
): NetlinkMessage[] {
  const addresses = addressesOf(config, network);
  const { routes, rules } = insideRoutes(config, network, link);
  const former = [config.former?.ipv4, config.former?.ipv6].flatMap((address) => address ?? []);
  const allowed = [...addresses, ...former.map((address) => ({ address, prefixRoute: network.icc }))];
  const isWanted = (entry: ListedAddress) =>
    allowed.some(({ address, prefixRoute }) => entry.address === address && entry.prefixRoute === prefixRoute);
  const present = created ? [] : listAddresses(socket, null);
  const found = created ? [] : listRoutes(socket, null);
  const foreign = found.filter((route) => isForeignDefault(route, routes, link));
  const isThere = (wanted: NewRoute) =>
    found.some((route) => route.link === link && route.destination === wanted.destination && route.gateway === null);
  // Those of IPv6 come back with their addresses.
  const lost = created
    ? []
    : subnetRoutes(config, network, link).filter((route) => familyOf(route.destination) === 'ipv4' && !isThere(route));
  return [
    changeLink(link, { mtu: network.mtu, mac: config.mac }),
    ...withoutLinkLocal(link, network.mtu),
    ...limit(link, config.bandwidth?.egressBits ?? null, network.mtu),
    changeLink(link, { up: true }),
    ...present.filter((entry) => entry.link === link && !isWanted(entry)).map(deleteAddress),
    ...addresses.map(({ address, prefixRoute }) => newAddress({ link, address }, { prefixRoute })),
    ...foreign.map(deleteRoute),
    ...lost.map(newRoute),
    ...routes.map(newRoute),
    ...(created && rules.length === 0 ? [] : ruleMessages(socket, link, rules)),
  ];
}

/** A default route by this interface that is not one of these. */
function isForeignDefault(found: Route, wanted: readonly NewRoute[], link: number): boolean {
  if (found.link !== link || !found.destination.endsWith('/0')) return false;
  return !wanted.some(
    ({ destination, gateway, table }) =>
      table === undefined && destination === found.destination && gateway === found.gateway,
  );
}

/** What makes the rules of an interface these and no others. */
function ruleMessages(socket: NetlinkSocket, link: number, wanted: readonly SourceRule[]): NetlinkMessage[] {
  const table = tableOf(link);
  const present = listSourceRules(socket).filter((rule) => rule.table === table);
  const isIn = (rules: readonly SourceRule[], { source }: SourceRule) => rules.some((rule) => rule.source === source);
  return [
    ...present.filter((rule) => !isIn(wanted, rule)).map(deleteSourceRule),
    ...wanted.filter((rule) => !isIn(present, rule)).map(newSourceRule),
  ];
}
