import { constants } from 'node:os';
import { deleteAddress, listAddresses, newAddress } from '../../../ffi/network/link-addresses.ts';
import { changeLink, deleteLink, findLink, type Link, newVeth } from '../../../ffi/network/links.ts';
import type { NetlinkMessage, NetlinkSocket } from '../../../ffi/network/netlink.ts';
import { type NewRoute, newRoute } from '../../../ffi/network/routes.ts';
import { inNetns } from '../../../ffi/process/namespaces.ts';
import { networkOf } from '../../../model/addresses.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { Sandbox } from '../../contract/network.ts';
import { withRouteSocket } from '../route-socket.ts';
import type { BridgeEndpoint } from './bridge-endpoint.ts';
import { withoutLinkLocal } from './link-local.ts';
import { CONTAINER_INTERFACE, type Names } from './names.ts';
import type { BridgeNetwork } from './network-options.ts';

/** Answered by a bridge without a free port (net/bridge/br_if.c); libuv has no name for it. */
const EXFULL = 54;
/** BR_MAX_PORTS of net/bridge/br_private.h less port 0. */
const BRIDGE_PORTS = 1023;
const EVERYWHERE = '0.0.0.0/0';

/** veth pairs between bridges and sandboxes. */
export class EndpointLinks {
  readonly #names: Names;
  readonly #socket: NetlinkSocket;

  constructor(names: Names, socket: NetlinkSocket) {
    this.#names = names;
    this.#socket = socket;
  }

  /** Creates or repairs the pair of a container. Returns whether it was created now, and the index of the host's end. */
  connect(config: BridgeEndpoint, network: BridgeNetwork, sandbox: Sandbox): { created: boolean; index: number } {
    const bridge = findLink(this.#socket, network.bridge);
    if (bridge === null) {
      throw new TsdError('TSD_NETWORK', `bridge ${network.bridge} does not exist`, { class: 'precondition' });
    }
    const created = this.#create(config, network, sandbox, bridge.index);
    try {
      return { created, index: this.#configure(config, network, sandbox, bridge.index, created) };
    } catch (error) {
      if (created) this.disconnect(config.containerId);
      throw error;
    }
  }

  /** Index of the host's end of a container's pair; null when there is none. */
  indexOf(containerId: string): number | null {
    return this.#own(containerId)?.index ?? null;
  }

  /** Deletes the pair of a container. Takes the kernel some 20 ms, during which this thread waits. */
  disconnect(containerId: string): void {
    const link = this.#own(containerId);
    if (link === null) return;
    try {
      this.#socket.request([deleteLink(link.index, link.name)]);
    } catch (error) {
      if (!(error instanceof TsdError) || error.errno !== constants.errno.ENODEV) throw error;
    }
  }

  /** Container of a link with a name like ours; null when it is none of ours, or gone. */
  containerOfNamed(name: string): string | null {
    if (!this.#names.isVeth(name)) return null;
    const link = findLink(this.#socket, name);
    return link && this.containerOf(link);
  }

  /** Container of a link of ours; null when it is none. */
  containerOf(link: Link): string | null {
    return link.kind === 'veth' ? this.#names.idOf('endpoint', link.alias) : null;
  }

  /** Returns false when a pair between this bridge and this sandbox is already there. */
  #create(config: BridgeEndpoint, network: BridgeNetwork, sandbox: Sandbox, master: number): boolean {
    const message = newVeth({
      name: this.#names.veth(config.containerId),
      mtu: network.mtu,
      group: this.#names.group,
      master,
      peer: { name: CONTAINER_INTERFACE, mac: config.mac, netnsFd: sandbox.netnsFd },
    });
    try {
      this.#plug(message, network.bridge);
      return true;
    } catch (error) {
      if (!(error instanceof TsdError) || error.errno !== constants.errno.EEXIST) throw error;
    }
    if (this.#connected(config.containerId, sandbox)) return false;
    this.#removeRemains(config.containerId, sandbox);
    this.#plug(message, network.bridge);
    return true;
  }

  /** Makes a pair with one end in the bridge. @throws TsdError TSD_NETWORK, class exhausted, when that has no port left. */
  #plug(message: NetlinkMessage, bridge: string): void {
    try {
      this.#socket.request([message]);
    } catch (cause) {
      if (!(cause instanceof TsdError) || cause.errno !== EXFULL) throw cause;
      throw new TsdError(
        'TSD_NETWORK',
        `bridge ${bridge} is full: the kernel takes ${BRIDGE_PORTS} ports on a bridge`,
        {
          class: 'exhausted',
          errno: EXFULL,
          step: `connect to ${bridge}`,
          hint: 'Put further containers on another network.',
          cause,
        },
      );
    }
  }

  #connected(containerId: string, sandbox: Sandbox): boolean {
    const host = this.#own(containerId);
    const inside = this.#inside(sandbox, (socket) => findLink(socket, CONTAINER_INTERFACE));
    return host !== null && inside !== null && host.peer === inside.index && inside.peer === host.index;
  }

  /** A pair into a namespace that is not this sandbox, or an interface in the sandbox that is not ours. */
  #removeRemains(containerId: string, sandbox: Sandbox): void {
    const host = this.#own(containerId);
    if (host !== null) this.#socket.request([deleteLink(host.index, host.name)]);
    this.#inside(sandbox, (socket) => {
      const inside = findLink(socket, CONTAINER_INTERFACE);
      if (inside !== null) socket.request([deleteLink(inside.index, inside.name)]);
    });
  }

  #configure(
    config: BridgeEndpoint,
    network: BridgeNetwork,
    sandbox: Sandbox,
    master: number,
    created: boolean,
  ): number {
    const host = findLink(this.#socket, this.#names.veth(config.containerId));
    if (host === null) throw new TsdError('TSD_NETWORK', 'the veth pair vanished while it was made');
    const alias = this.#names.mark('endpoint', config.containerId);
    const port = { isolated: !network.icc, hairpin: true };
    this.#socket.request([
      // By itself and first: settings of a port are refused on a link that is not one yet.
      ...(created ? [] : [changeLink(host.index, { master, mtu: network.mtu })]),
      ...withoutLinkLocal(host.index, network.mtu),
      changeLink(host.index, { alias, port, up: true }),
    ]);
    this.#inside(sandbox, (socket) => {
      socket.request(insideMessages(config, network, host.peer, created ? [] : listAddresses(socket, 'ipv4')));
      settle(socket, [CONTAINER_INTERFACE]);
    });
    settle(this.#socket, [host.name, network.bridge]);
    return host.index;
  }

  /** The host's end, when it is this container's. @throws TsdError when the name belongs to another container. */
  #own(containerId: string): Link | null {
    const link = findLink(this.#socket, this.#names.veth(containerId));
    const owner = link === null ? null : this.containerOf(link);
    if (owner === null || owner === containerId) return link;
    throw new TsdError('TSD_NETWORK', `interface ${link?.name} belongs to container ${owner}`, { class: 'conflict' });
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

/** Routes of a container beside that of its own subnet. */
function routesOf({ icc, internal, gateway, subnet }: BridgeNetwork): Omit<NewRoute, 'link'>[] {
  const toGateway = icc ? [] : [{ destination: `${gateway}/32`, gateway: null }];
  if (!internal) return [...toGateway, { destination: EVERYWHERE, gateway }];
  return icc ? toGateway : [...toGateway, { destination: networkOf(subnet), gateway }];
}

/** Destinations that a container of a network has routes to. */
export function destinationsOf(network: BridgeNetwork): string[] {
  return routesOf(network).map(({ destination }) => destination);
}

/** Destinations of all routes in the main table of a container that was connected just now. */
export function allDestinationsOf(network: BridgeNetwork): string[] {
  return [...destinationsOf(network), ...(network.icc ? [networkOf(network.subnet)] : [])];
}

/**
 * Interface up, address, routes. In a network without inter-container communication ports are isolated, so that other
 * containers cannot be reached on the link: there the only neighbour is the gateway, and what is allowed goes through it
 * and through the rules.
 */
function insideMessages(
  config: BridgeEndpoint,
  network: BridgeNetwork,
  link: number,
  present: ReturnType<typeof listAddresses>,
): NetlinkMessage[] {
  const { address } = config;
  const wrong = present.filter(
    (entry) => entry.link === link && (entry.address !== address || entry.prefixRoute !== network.icc),
  );
  const messages = [
    changeLink(link, { mtu: network.mtu }),
    ...withoutLinkLocal(link, network.mtu),
    changeLink(link, { up: true }),
    ...wrong.map(deleteAddress),
    newAddress({ link, address }, { prefixRoute: network.icc }),
  ];
  return [...messages, ...routesOf(network).map((route) => newRoute({ ...route, link }))];
}
