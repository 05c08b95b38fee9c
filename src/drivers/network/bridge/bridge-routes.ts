/** The routes from the host to our bridges, asked for again where the kernel reported that one went, and in turn. */
import type { Link } from '../../../ffi/network/links.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../../ffi/network/netlink.ts';
import { RouteChanges, RTMGRP } from '../../../ffi/network/route-changes.ts';
import { listRoutes, type NewRoute } from '../../../ffi/network/routes.ts';
import { networkOf } from '../../../model/addresses.ts';
import type { BridgeNetwork } from './network-options.ts';

type Ranges = Pick<BridgeNetwork, 'ipv4' | 'ipv6' | 'gatewayMode4' | 'gatewayMode6'>;

/** Number of looks answered from the last one. */
const LOOKS_BETWEEN_READS = 30;

/** Routes by which the host reaches the containers of a network that it does not have; isolated ones it does not reach. @param socket strict */
function lacking(socket: NetlinkSocket, network: Ranges, link: number): NewRoute[] {
  const ipv4 = network.gatewayMode4 === 'isolated' ? null : network.ipv4;
  const ipv6 = network.gatewayMode6 === 'isolated' ? null : network.ipv6;
  const found = new Set(listRoutes(socket, null, 'main', link).map(({ destination }) => destination));
  return [ipv4, ipv6].flatMap((range) => {
    if (range === null || found.has(networkOf(range.subnet))) return [];
    return [{ destination: networkOf(range.subnet), gateway: null, link, source: range.gateway }];
  });
}

/** As a bridge that was there may lack them: they came with its addresses. */
export function lostRoutes(network: Ranges, link: number): NewRoute[] {
  const socket = new NetlinkSocket(NETLINK_ROUTE, true);
  try {
    return lacking(socket, network, link);
  } finally {
    socket.close();
  }
}

export class BridgeRoutes {
  /** The host may have a million routes: it leaves out those of other links. */
  #open: { readonly socket: NetlinkSocket; readonly changes: RouteChanges } | null = null;
  #last: { readonly links: readonly Link[]; looks: number; readonly lacking: ReadonlySet<string> } | null = null;

  /** Names of the bridges to which a route is missing. @param links of the host; another list when any of them changed */
  lacking(networks: Iterable<BridgeNetwork>, links: readonly Link[]): ReadonlySet<string> {
    this.#open ??= {
      socket: new NetlinkSocket(NETLINK_ROUTE, true),
      changes: new RouteChanges(RTMGRP.IPV4_ROUTE | RTMGRP.IPV6_ROUTE, false, 'losses'),
    };
    const { socket, changes } = this.#open;
    const isAsBefore = changes.take()?.here === false && this.#last?.links === links && this.#last.lacking.size === 0;
    if (this.#last !== null && isAsBefore && ++this.#last.looks < LOOKS_BETWEEN_READS) return this.#last.lacking;
    const unrouted = new Set(
      [...networks].flatMap((network) => (this.#lacks(socket, network, links) ? network.bridge : [])),
    );
    this.#last = { links, looks: 0, lacking: unrouted };
    return unrouted;
  }

  /** The networks are others. */
  forget(): void {
    this.#last = null;
  }

  close(): void {
    this.#open?.socket.close();
    this.#open?.changes.close();
    this.#open = null;
    this.#last = null;
  }

  #lacks(socket: NetlinkSocket, network: BridgeNetwork, links: readonly Link[]): boolean {
    const link = links.find(({ name, up, master }) => name === network.bridge && up && master === 0);
    if (network.foreign || link === undefined) return false;
    return lacking(socket, network, link.index).length > 0;
  }
}
