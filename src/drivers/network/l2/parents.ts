/** The interfaces of the host that containers are on: those of others, and the VLANs and closed ones that are made here. */

import { knowsKind, newDummy, newVlan } from '../../../ffi/network/l2-links.ts';
import { changeLink, deleteLink, findLink, type Link, listLinks, listTopLinks } from '../../../ffi/network/links.ts';
import type { NetlinkMessage, NetlinkSocket } from '../../../ffi/network/netlink.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { deleteUnlessGone } from '../link-removal.ts';
import type { Marks } from '../marks.ts';
import type { L2Network } from './l2-network.ts';

/** `eth0.10`: VLAN 10 of eth0. */
const VLAN = /^(.+)\.([1-9]\d{0,3})$/;
const LAST_VLAN = 4094;

/** Key of what was made but not yet marked when its maker died. No network has it, so it counts as an orphan. */
const UNFINISHED = 'unfinished:';

/** The interface that a network is on, as the kernel has it. */
export interface SeenParent {
  readonly key: string;
  readonly parent: string;
  readonly found: boolean;
  /** It is there, is up, and is no part of something else. */
  readonly up: boolean;
}

function precondition(message: string, step: string, hint: string): TsdError {
  return new TsdError('TSD_NETWORK', message, { class: 'precondition', step, hint });
}

export class Parents {
  readonly #marks: Marks;
  readonly #socket: NetlinkSocket;

  constructor(marks: Marks, socket: NetlinkSocket) {
    this.#marks = marks;
    this.#socket = socket;
  }

  /** The interface as it is now; null when it is gone. */
  find({ parent }: Pick<L2Network, 'parent'>): Link | null {
    return findLink(this.#socket, parent);
  }

  /** Makes it where it is one of ours, and checks that containers can be on it. @throws TsdError TSD_NETWORK, TSD_UNSUPPORTED_HOST */
  ensure(network: L2Network): Link {
    const found = this.find(network) ?? this.#make(network);
    if (this.#isOurs(found)) {
      this.#socket.request([
        changeLink(found.index, { alias: this.#marks.mark('network', network.key) }),
        changeLink(found.index, { up: true }),
      ]);
      this.#requireUp(findLink(this.#socket, this.#below(found) ?? found.name), network);
    } else {
      this.#requireUp(found, network);
    }
    this.#requireFree(found, network);
    return findLink(this.#socket, found.name) ?? found;
  }

  /** Removes what was made here for a network, unless another one is on it. @param others networks that stay */
  release({ parent }: Pick<L2Network, 'parent'>, others: Iterable<L2Network>): void {
    for (const other of others) if (other.parent === parent) return;
    const link = findLink(this.#socket, parent);
    if (link !== null && this.#isOurs(link)) this.#remove(link);
  }

  /** As {@link release}, for a network of which only its mark is known. */
  releaseOf(key: string, others: Iterable<L2Network>): void {
    const used = new Set([...others].map(({ parent }) => parent));
    for (const link of this.#ours()) {
      if (this.#marks.idOf('network', link.alias) === key && !used.has(link.name)) this.#remove(link);
    }
  }

  releaseAll(): void {
    for (const link of this.#ours()) this.#remove(link);
  }

  /** The parents of networks, and what is left of ours and none of them is on. */
  look(networks: Iterable<L2Network>): SeenParent[] {
    const links = listTopLinks(this.#socket);
    const byName = new Map(links.map((link) => [link.name, link]));
    const seen = [...networks].map(({ key, parent }) => {
      const link = byName.get(parent);
      return { key, parent, found: link !== undefined, up: link?.up === true };
    });
    const used = new Set(seen.map(({ parent }) => parent));
    const left = links.filter((link) => this.#isOurs(link) && !used.has(link.name));
    return [
      ...seen,
      ...left.map(({ name, alias }) => {
        const key = this.#marks.idOf('network', alias) ?? `${UNFINISHED}${name}`;
        return { key, parent: name, found: true, up: false };
      }),
    ];
  }

  #ours(): Link[] {
    return listTopLinks(this.#socket).filter((link) => this.#isOurs(link));
  }

  #remove({ index, name }: Link): void {
    deleteUnlessGone(this.#socket, deleteLink(index, name));
  }

  #isOurs({ kind, group }: Link): boolean {
    return (kind === 'vlan' || kind === 'dummy') && group === this.#marks.group;
  }

  /** The name of the interface that a VLAN is of. */
  #below({ kind, name }: Link): string | null {
    return kind === 'vlan' ? (VLAN.exec(name)?.[1] ?? null) : null;
  }

  #make(network: L2Network): Link {
    const { parent, closed, mtu } = network;
    if (closed) return this.#create('dummy', parent, newDummy(parent, this.#marks.group, mtu ?? 1500));
    const [, base = '', tag = ''] = VLAN.exec(parent) ?? [];
    const below = base === '' ? null : findLink(this.#socket, base);
    if (below === null || Number(tag) > LAST_VLAN) {
      const missing = base !== '' && below === null ? `, nor ${base} to make that VLAN of` : '';
      throw precondition(
        `there is no interface ${parent} on this host${missing}`,
        `use ${parent}`,
        '`ip -brief link` lists those that there are; a network that has lost its interface is connected when it comes back.',
      );
    }
    const vlan = newVlan({ name: parent, parent: below.index, id: Number(tag), group: this.#marks.group });
    return this.#create('vlan', parent, vlan);
  }

  #create(kind: 'vlan' | 'dummy', name: string, message: NetlinkMessage): Link {
    if (!knowsKind(this.#socket, kind)) {
      const what = kind === 'vlan' ? 'VLANs (module 8021q)' : 'interfaces that lead nowhere (module dummy)';
      throw new TsdError('TSD_UNSUPPORTED_HOST', `this kernel has no ${what}`, {
        step: `create ${name}`,
        hint: kind === 'vlan' ? 'Load it with `modprobe 8021q`.' : 'Load it with `modprobe dummy`, or name a parent.',
      });
    }
    this.#socket.request([message]);
    const made = findLink(this.#socket, name);
    if (made !== null) return made;
    throw new TsdError('TSD_NETWORK', `${name} vanished while it was made`, { class: 'unavailable' });
  }

  /** Below one that is down even neighbours do not reach each other. It may be down on purpose. */
  #requireUp(link: Link | null, { parent }: L2Network): void {
    if (link?.up === true) return;
    const name = link?.name ?? parent;
    throw precondition(`${name} is down`, `use ${parent}`, `\`ip link set ${name} up\` switches it on.`);
  }

  /** What is a part of something else takes the packets of all that are on it. */
  #requireFree({ name, master }: Link, { parent }: L2Network): void {
    if (master === 0) return;
    const holder = listLinks(this.#socket).find(({ index }) => index === master);
    // A VRF only has tables of its own.
    if (holder?.kind === 'vrf') return;
    throw precondition(
      `${name} is part of ${holder?.name ?? 'another interface'}`,
      `use ${parent}`,
      `Name ${holder?.name ?? 'that one'} as the parent, or take ${name} out of it: \`ip link set ${name} nomaster\`.`,
    );
  }
}
