import { deleteAddress, type LinkAddress, listAddresses, newAddress } from '../../../ffi/network/link-addresses.ts';
import { changeLink, deleteLink, findLink, type Link, listLinks, newBridge } from '../../../ffi/network/links.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../../ffi/network/netlink.ts';
import { listRoutes, newRoute } from '../../../ffi/network/routes.ts';
import { bareAddress } from '../../../model/addresses.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { readHostUse, requireUnused } from '../host-use.ts';
import { deleteUnlessGone } from '../link-removal.ts';
import { lostRoutes } from './bridge-routes.ts';
import type { HostSettings } from './host-settings.ts';
import { bridgeAddresses, bridgeMac } from './inside.ts';
import { withoutLinkLocal } from './link-local.ts';
import type { Names } from './names.ts';
import type { BridgeNetwork } from './network-options.ts';

export interface ObservedBridge {
  readonly bridge: string;
  readonly key: string;
  readonly up: boolean;
  readonly addresses: readonly string[];
}

/** Key of a bridge that was made but not yet marked when its maker died. No network has it, so it counts as an orphan. */
const UNFINISHED = 'unfinished:';

/** Bridges of our networks and the addresses on them. */
export class BridgeLinks {
  readonly #names: Names;
  readonly #settings: HostSettings;
  readonly #socket = new NetlinkSocket(NETLINK_ROUTE);

  constructor(names: Names, settings: HostSettings) {
    this.#names = names;
    this.#settings = settings;
  }

  get socket(): NetlinkSocket {
    return this.#socket;
  }

  /** The network a link of ours belongs to; null when it is not a bridge of ours. */
  keyOf(link: Link): string | null {
    if (link.kind !== 'bridge' || link.group !== this.#names.group) return null;
    return this.#names.idOf('network', link.alias) ?? `${UNFINISHED}${link.name}`;
  }

  /**
   * Creates or repairs a bridge of ours.
   * @param close sets its rules, before anything is passed on to it: what is let through waits for seconds for a container that
   * answers, and reaches one that is made meanwhile
   */
  ensure(config: BridgeNetwork, close: () => void): void {
    const found = findLink(this.#socket, config.bridge);
    if (found !== null) this.#checkOurs(config, found);
    else this.#create(config);
    const link = found ?? findLink(this.#socket, config.bridge);
    if (link === null) throw this.#gone(config.bridge);
    const alias = this.#names.mark('network', config.key);
    const settings = { alias, ...(link.mtu !== config.mtu && { mtu: config.mtu }) };
    this.#socket.request([changeLink(link.index, settings), ...withoutLinkLocal(link.index, config.mtu)]);
    this.#settings.changeBridge(config);
    close();
    this.#setAddresses(link.index, bridgeAddresses(config));
    this.#socket.request([changeLink(link.index, { up: true })]);
    if (found !== null) this.#socket.request(lostRoutes(config, link.index).map(newRoute));
  }

  /** Checks a foreign bridge: it must exist and have the gateway's address. */
  checkForeign(config: BridgeNetwork): void {
    const link = findLink(this.#socket, config.bridge);
    const step = `use bridge ${config.bridge}`;
    if (link === null || link.kind !== 'bridge') {
      throw new TsdError('TSD_NETWORK', `${config.bridge} is not a bridge of this host`, {
        class: 'precondition',
        step,
        hint: 'Make the bridge first, or leave out -b to let tsdocker make one.',
      });
    }
    const addresses = listAddresses(this.#socket, null).filter((address) => address.link === link.index);
    const present = addresses.map(({ address }) => bareAddress(address));
    const lacks = [config.ipv4, config.ipv6].find((range) => range !== null && !present.includes(range.gateway));
    if (!lacks) return;
    throw new TsdError('TSD_NETWORK', `bridge ${config.bridge} does not have the address ${lacks.gateway}`, {
      class: 'precondition',
      step,
      hint: `It has ${addresses.map(({ address }) => address).join(', ') || 'none'}; give the network that subnet.`,
    });
  }

  /** Bridges with this key: one, or none. */
  named(key: string): Link[] {
    return listLinks(this.#socket).filter((link) => this.keyOf(link) === key);
  }

  remove(link: Link): void {
    deleteUnlessGone(this.#socket, deleteLink(link.index, link.name));
  }

  observe(links: readonly Link[], all: readonly LinkAddress[]): ObservedBridge[] {
    const addresses = new Map<number, string[]>();
    for (const { link, address } of all) {
      addresses.set(link, [...(addresses.get(link) ?? []), address]);
    }
    return links.flatMap((link) => {
      const key = this.keyOf(link);
      if (key === null) return [];
      return [{ bridge: link.name, key, up: link.up, addresses: addresses.get(link.index) ?? [] }];
    });
  }

  /** Interfaces that lead out of the host: those of default routes, and what is neither a bridge nor a port of one. */
  outward(): string[] {
    const defaults = new Set(
      listRoutes(this.#socket, null).flatMap(({ destination, link }) => (destination.endsWith('/0') ? [link] : [])),
    );
    return listLinks(this.#socket).flatMap(({ index, name, kind, master }) => {
      const plain = kind !== 'bridge' && master === 0 && name !== 'lo';
      return plain || defaults.has(index) ? [name] : [];
    });
  }

  close(): void {
    this.#socket.close();
  }

  #checkOurs(config: BridgeNetwork, link: Link): void {
    const key = this.keyOf(link);
    if (key === config.key || key === `${UNFINISHED}${link.name}`) return;
    const owner = key === null ? 'not to this supervisor' : `to ${key}`;
    throw new TsdError('TSD_NETWORK', `interface ${link.name} exists and belongs ${owner}`, {
      class: 'conflict',
      step: `create bridge ${link.name}`,
      hint: 'Give the network another bridge name, or remove the interface.',
    });
  }

  #create(config: BridgeNetwork): void {
    const use = readHostUse(this.#socket);
    for (const range of [config.ipv4, config.ipv6]) {
      if (range !== null) requireUnused(use, range.subnet, `create bridge ${config.bridge}`);
    }
    const { bridge: name, mtu } = config;
    this.#settings.forgetBridge(name);
    this.#socket.request([newBridge({ name, mtu, mac: bridgeMac(config), group: this.#names.group })]);
  }

  #setAddresses(link: number, wanted: readonly string[]): void {
    const present = listAddresses(this.#socket, null).filter((entry) => entry.link === link);
    const wrong = present.filter(({ address }) => !wanted.includes(address));
    const missing = wanted.filter((address) => !present.some((entry) => entry.address === address));
    this.#socket.request([
      ...wrong.map(deleteAddress),
      ...missing.map((address) => newAddress({ link, address }, { prefixRoute: true })),
    ]);
  }

  #gone(name: string): TsdError {
    return new TsdError('TSD_NETWORK', `bridge ${name} vanished while it was made`, { class: 'unavailable' });
  }
}
