/** Interfaces of containers on an interface of the host. They are in the sandbox from the first moment on. */
import { createHash } from 'node:crypto';
import { constants } from 'node:os';
import { renameLink } from '../../../ffi/network/l2-links.ts';
import { deleteAddress, listAddresses, newAddress } from '../../../ffi/network/link-addresses.ts';
import { changeLink, deleteLink, findLink, type Link } from '../../../ffi/network/links.ts';
import type { NetlinkSocket } from '../../../ffi/network/netlink.ts';
import { newRoute } from '../../../ffi/network/routes.ts';
import { inNetns } from '../../../ffi/process/namespaces.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { EndpointConfig, Sandbox } from '../../contract/network.ts';
import { deleteUnlessGone } from '../link-removal.ts';
import type { Marks } from '../marks.ts';
import { withRouteSocket } from '../route-socket.ts';
import { readSetting, writeSetting } from '../sysctl.ts';
import { insideOf } from './l2-inside.ts';
import type { L2Kind } from './l2-kind.ts';
import type { L2Network } from './l2-network.ts';

export class L2Endpoints {
  readonly #kind: L2Kind;
  readonly #marks: Marks;
  readonly #socket: NetlinkSocket;

  constructor(kind: L2Kind, marks: Marks, socket: NetlinkSocket) {
    this.#kind = kind;
    this.#marks = marks;
    this.#socket = socket;
  }

  /** Creates or repairs the interface of an endpoint. */
  connect(config: EndpointConfig, network: L2Network, parent: Link, sandbox: Sandbox): void {
    const created = !this.isPresent(config, sandbox, parent.index);
    if (created) this.#create(config, network, parent, sandbox);
    try {
      this.#configure(config, network, parent, sandbox);
    } catch (error) {
      if (created) this.disconnect(config.interfaceName, sandbox);
      throw this.#explained(error, network);
    }
  }

  /** Whether the sandbox has the interface of an endpoint, of this kind and on this parent. */
  isPresent({ interfaceName }: EndpointConfig, sandbox: Sandbox, parent: number): boolean {
    const found = within(sandbox, (socket) => findLink(socket, interfaceName));
    return found?.kind === this.#kind.name && found.peer === parent;
  }

  /** Deletes an interface of this kind. */
  disconnect(interfaceName: string, sandbox: Sandbox): void {
    within(sandbox, (socket) => {
      const found = findLink(socket, interfaceName);
      if (found?.kind === this.#kind.name) remove(socket, found);
    });
  }

  #create(config: EndpointConfig, network: L2Network, parent: Link, sandbox: Sandbox): void {
    const { containerId, interfaceName, mac } = config;
    const mtu = network.mtu ?? parent.mtu;
    if (mtu > parent.mtu) {
      throw new TsdError('TSD_NETWORK', `mtu ${mtu} is larger than the ${parent.mtu} of ${parent.name}`, {
        class: 'precondition',
        step: `connect to ${parent.name}`,
        hint: `Write a smaller mtu, or \`ip link set ${parent.name} mtu ${mtu}\`.`,
      });
    }
    const name = `t${createHash('sha256').update(`${containerId} ${interfaceName}`).digest('hex').slice(0, 13)}`;
    // One that is left of another network, or of an attempt that was interrupted.
    within(sandbox, (socket) => {
      for (const left of [interfaceName, name]) {
        const found = findLink(socket, left);
        if (found !== null) remove(socket, found);
      }
    });
    const { netnsFd } = sandbox;
    const wanted = { name, parent: parent.index, group: this.#marks.group, mtu, netnsFd, mac };
    try {
      this.#socket.request([this.#kind.newInterface(network.mode, wanted)]);
    } catch (error) {
      throw this.#explained(error, network);
    }
    within(sandbox, (socket) => {
      const made = findLink(socket, name);
      if (made === null) throw new TsdError('TSD_NETWORK', 'the interface vanished while it was made');
      const alias = this.#marks.mark('endpoint', `${containerId}:${interfaceName}`);
      socket.request([renameLink(made.index, interfaceName), changeLink(made.index, { alias })]);
    });
  }

  #configure(config: EndpointConfig, network: L2Network, parent: Link, sandbox: Sandbox): void {
    const { interfaceName } = config;
    const { addresses, routes } = insideOf(this.#kind, config, network);
    within(sandbox, (socket) => {
      const link = findLink(socket, interfaceName)?.index;
      if (link === undefined) throw new TsdError('TSD_NETWORK', `${interfaceName} vanished while it was made`);
      switchIpv6(interfaceName, network.ipv6 !== null);
      const wrong = listAddresses(socket, null).filter(
        (entry) => entry.link === link && !addresses.includes(entry.address) && !entry.address.startsWith('fe80:'),
      );
      socket.request([
        changeLink(link, { mtu: network.mtu ?? parent.mtu }),
        changeLink(link, { up: true }),
        ...wrong.map(deleteAddress),
        ...addresses.map((address) => newAddress({ link, address }, { prefixRoute: true })),
        ...routes.map((route) => newRoute({ ...route, link })),
      ]);
    });
  }

  /** What the kernel says in numbers, in words. */
  #explained(error: unknown, { parent, mode }: L2Network): unknown {
    if (!(error instanceof TsdError) || error.errno === undefined) return error;
    const { name } = this.#kind;
    const say = (message: string, errorClass: 'conflict' | 'unsupported', hint: string) =>
      new TsdError(errorClass === 'unsupported' ? 'TSD_UNSUPPORTED_HOST' : 'TSD_NETWORK', message, {
        class: errorClass,
        errno: error.errno,
        step: error.step ?? `connect to ${parent}`,
        hint,
        cause: error,
      });
    const { EBUSY, EINVAL, EADDRINUSE, EOPNOTSUPP } = constants.errno;
    if (error.errno === EBUSY) {
      return say(
        `${parent} has interfaces of another kind or mode, or one with the same MAC`,
        'conflict',
        `An interface of the host has networks of macvlan or of ipvlan, not of both; \`ip -d link\` shows what is on ${parent}.`,
      );
    }
    if (error.errno === EINVAL && this.#kind.isAlone(mode)) {
      return say(
        `${parent} has a container already`,
        'conflict',
        'With mode passthru one container has the parent for itself.',
      );
    }
    if (error.errno === EADDRINUSE) {
      return say(
        `another interface on ${parent} has the address`,
        'conflict',
        `\`ip -d link\` shows what is on ${parent}.`,
      );
    }
    if (error.errno === EOPNOTSUPP) {
      return say(`this kernel has no ${name} interfaces`, 'unsupported', `Load them with \`modprobe ${name}\`.`);
    }
    return error;
  }
}

function within<T>({ netnsFd }: Sandbox, use: (socket: NetlinkSocket) => T): T {
  return inNetns(netnsFd, () => withRouteSocket(use));
}

function remove(socket: NetlinkSocket, { index, name }: Link): void {
  deleteUnlessGone(socket, deleteLink(index, name));
}

/**
 * Of an interface in the namespace this thread is in, before it is up. Without IPv6 no advertisement of a neighbour gives it an
 * address, and with IPv6 it has those that we give it.
 */
function switchIpv6(name: string, on: boolean): void {
  const directory = `ipv6/conf/${name}`;
  // A link with an MTU below 1280 has none.
  if (readSetting(`${directory}/disable_ipv6`) === null) return;
  if (on) for (const setting of ['accept_ra', 'autoconf']) writeSetting(`${directory}/${setting}`, '0');
  writeSetting(`${directory}/disable_ipv6`, on ? '0' : '1');
}
