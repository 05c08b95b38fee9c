/**
 * Links that are made on another one: VLANs of it, and the interfaces of containers that are in its network. Builders return
 * messages for {@link NetlinkSocket.request}. Layouts and constants: linux/if_link.h, linux/if_vlan.h, linux/if_ether.h.
 */
import { constants } from 'node:os';
import { TsdError } from '../../model/errors/errors.ts';
import { IFLA, IFLA_INFO, ifinfomsg, macBytes, RTM_NEWLINK } from './links.ts';
import { attribute, type NetlinkMessage, type NetlinkSocket, NLM_F_CREATE, NLM_F_EXCL, nested } from './netlink.ts';

const IFLA_MACVLAN_MODE = 1;
const MACVLAN_MODES = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;
const IFLA_IPVLAN_MODE = 1;
const IPVLAN_MODES = { l2: 0, l3: 1, l3s: 2 } as const;
const IFLA_VLAN_ID = 1;
const IFLA_VLAN_PROTOCOL = 5;
const ETH_P_8021Q = 0x8100;

export type L2Kind = 'macvlan' | 'ipvlan' | 'vlan' | 'dummy';
export type MacvlanMode = keyof typeof MACVLAN_MODES;
export type IpvlanMode = keyof typeof IPVLAN_MODES;

function newLink(kind: L2Kind, name: string, parts: readonly Buffer[], data: readonly Buffer[] = []): NetlinkMessage {
  const info = [attribute(IFLA_INFO.KIND, kind), ...(data.length > 0 ? [nested(IFLA_INFO.DATA, ...data)] : [])];
  const body = Buffer.concat([
    ifinfomsg(0, 0, 0),
    attribute(IFLA.IFNAME, name),
    ...parts,
    nested(IFLA.LINKINFO, ...info),
  ]);
  return { step: `create ${kind} ${name}`, type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, body };
}

interface NewChild {
  readonly name: string;
  /** Index of the link that it is on. */
  readonly parent: number;
  readonly group: number;
  readonly mtu: number;
  /** Namespace that it is made in. */
  readonly netnsFd: number;
}

const childParts = ({ parent, group, mtu, netnsFd }: NewChild): Buffer[] => [
  attribute(IFLA.LINK, parent),
  attribute(IFLA.GROUP, group),
  attribute(IFLA.MTU, mtu),
  attribute(IFLA.NET_NS_FD, netnsFd),
];

/** An interface with a MAC of its own, down. In passthru it has that of the parent. */
export function newMacvlan(
  child: NewChild & { readonly mode: MacvlanMode; readonly mac: string | null },
): NetlinkMessage {
  const { name, mode, mac } = child;
  const address = mac === null || mode === 'passthru' ? [] : [attribute(IFLA.ADDRESS, macBytes(mac))];
  return newLink(
    'macvlan',
    name,
    [...childParts(child), ...address],
    [attribute(IFLA_MACVLAN_MODE, MACVLAN_MODES[mode])],
  );
}

/** An interface with the MAC of its parent, down. All on one parent have the mode of the last. */
export function newIpvlan(child: NewChild & { readonly mode: IpvlanMode }): NetlinkMessage {
  const mode = Buffer.alloc(2);
  mode.writeUInt16LE(IPVLAN_MODES[child.mode]);
  return newLink('ipvlan', child.name, childParts(child), [attribute(IFLA_IPVLAN_MODE, mode)]);
}

interface NewVlan {
  readonly name: string;
  readonly parent: number;
  readonly id: number;
  readonly group: number;
}

/** The frames of a link that have a tag of IEEE 802.1Q, as a link; down. */
export function newVlan({ name, parent, id, group }: NewVlan): NetlinkMessage {
  const tag = Buffer.alloc(2);
  tag.writeUInt16LE(id);
  const protocol = Buffer.alloc(2);
  protocol.writeUInt16BE(ETH_P_8021Q);
  const data = [attribute(IFLA_VLAN_ID, tag), attribute(IFLA_VLAN_PROTOCOL, protocol)];
  return newLink('vlan', name, [attribute(IFLA.LINK, parent), attribute(IFLA.GROUP, group)], data);
}

/** A link that leads nowhere, down. */
export function newDummy(name: string, group: number, mtu: number): NetlinkMessage {
  return newLink('dummy', name, [attribute(IFLA.GROUP, group), attribute(IFLA.MTU, mtu)]);
}

/** @param index of a link that is down */
export function renameLink(index: number, name: string): NetlinkMessage {
  const body = Buffer.concat([ifinfomsg(index, 0, 0), attribute(IFLA.IFNAME, name)]);
  return { step: `name link ${name}`, type: RTM_NEWLINK, flags: 0, body };
}

/** An address of this length is none (dummy_validate of drivers/net/dummy.c; the others ask for a parent or a tag first). */
const NO_ADDRESS = Buffer.alloc(1);

/** Whether this kernel has a kind of links: asks for one that it refuses, so that nothing is made. A module is loaded. */
export function knowsKind(socket: NetlinkSocket, kind: L2Kind): boolean {
  try {
    socket.request([newLink(kind, 'tsd-probe', kind === 'dummy' ? [attribute(IFLA.ADDRESS, NO_ADDRESS)] : [])]);
  } catch (error) {
    if (!(error instanceof TsdError)) throw error;
    if (error.errno === constants.errno.EOPNOTSUPP) return false;
    if (error.errno === constants.errno.EINVAL) return true;
    throw error;
  }
  throw new TsdError('TSD_BUG', `the kernel made a ${kind} without its parts`);
}
