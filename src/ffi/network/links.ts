/**
 * Links. Builders return messages for {@link NetlinkSocket.request}; list functions read dumps.
 * Layouts and constants: linux/rtnetlink.h, linux/if_link.h, linux/veth.h; rtnetlink(7).
 */
import { constants } from 'node:os';
import { TsdError } from '../../model/errors/errors.ts';
import {
  attribute,
  eachAttribute,
  type NetlinkMessage,
  type NetlinkSocket,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  nested,
  parseAttributes,
} from './netlink.ts';

export const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;

const AF_UNSPEC = 0;
const AF_BRIDGE = 7;
const AF_INET6 = 10;
const IFF_UP = 1;
const IFF_LOWER_UP = 0x10000;

export const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  MASTER: 10,
  LINKINFO: 18,
  IFALIAS: 20,
  AF_SPEC: 26,
  GROUP: 27,
  NET_NS_FD: 28,
  EXT_MASK: 29,
} as const;
export const IFLA_INFO = { KIND: 1, DATA: 2, SLAVE_KIND: 4, SLAVE_DATA: 5 } as const;
const RTEXT_FILTER_SKIP_STATS = 8;
/** As a filter of a dump: links without a master (Linux 5.16). */
const NO_MASTER = 0xffffffff;
const VETH_INFO_PEER = 1;
const IFLA_BRPORT = { MODE: 4, ISOLATED: 33 } as const;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;

export interface Link {
  readonly index: number;
  readonly name: string;
  /** `bridge`, `veth`; null for hardware. */
  readonly kind: string | null;
  readonly alias: string | null;
  readonly up: boolean;
  /** Index of the bridge it is a port of; 0 none. */
  readonly master: number;
  /** Index of a veth's other end in its own namespace; 0 none. */
  readonly peer: number;
  readonly group: number;
  readonly mtu: number;
}

/** Settings of a bridge port. */
interface BridgePort {
  /** It cannot exchange frames with other isolated ports. */
  readonly isolated: boolean;
  /** Frames may leave by the port they came in on. */
  readonly hairpin: boolean;
}

export interface LinkChange {
  readonly up?: boolean;
  readonly alias?: string;
  readonly master?: number;
  readonly mtu?: number;
  readonly mac?: string;
  readonly port?: BridgePort;
  /** Gives the link no IPv6 address by itself. EAFNOSUPPORT for a link without IPv6. */
  readonly noLinkLocal?: boolean;
}

export function ifinfomsg(index: number, flags: number, change: number, family = AF_UNSPEC): Buffer {
  const out = Buffer.alloc(16);
  out.writeUInt8(family, 0);
  out.writeInt32LE(index, 4);
  out.writeUInt32LE(flags, 8);
  out.writeUInt32LE(change, 12);
  return out;
}

export function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

export interface NewBridge {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly group: number;
}

/** A bridge that does not exist yet (EEXIST otherwise), down. */
export function newBridge({ name, mac, mtu, group }: NewBridge): NetlinkMessage {
  const body = Buffer.concat([
    ifinfomsg(0, 0, 0),
    attribute(IFLA.IFNAME, name),
    attribute(IFLA.ADDRESS, macBytes(mac)),
    attribute(IFLA.MTU, mtu),
    attribute(IFLA.GROUP, group),
    nested(IFLA.LINKINFO, attribute(IFLA_INFO.KIND, 'bridge')),
  ]);
  return { step: `create bridge ${name}`, type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, body };
}

export interface NewVeth {
  readonly name: string;
  readonly mtu: number;
  readonly group: number;
  /** Index of the bridge the host's end is put into. */
  readonly master: number;
  readonly peer: { readonly name: string; readonly mac: string; readonly netnsFd: number };
}

/** A veth pair, both ends down, the peer created in another network namespace. EEXIST when the name is taken. */
export function newVeth({ name, mtu, group, master, peer }: NewVeth): NetlinkMessage {
  const peerLink = Buffer.concat([
    ifinfomsg(0, 0, 0),
    attribute(IFLA.IFNAME, peer.name),
    attribute(IFLA.ADDRESS, macBytes(peer.mac)),
    attribute(IFLA.MTU, mtu),
    attribute(IFLA.NET_NS_FD, peer.netnsFd),
  ]);
  const data = nested(IFLA_INFO.DATA, attribute(VETH_INFO_PEER, peerLink));
  const body = Buffer.concat([
    ifinfomsg(0, 0, 0),
    attribute(IFLA.IFNAME, name),
    attribute(IFLA.MTU, mtu),
    attribute(IFLA.GROUP, group),
    attribute(IFLA.MASTER, master),
    nested(IFLA.LINKINFO, attribute(IFLA_INFO.KIND, 'veth'), data),
  ]);
  return { step: `create veth ${name}`, type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL, body };
}

/** Changes an existing link, named or by index. */
export function changeLink(link: number | string, change: LinkChange): NetlinkMessage {
  const parts = [
    ifinfomsg(typeof link === 'number' ? link : 0, change.up ? IFF_UP : 0, change.up === undefined ? 0 : IFF_UP),
  ];
  if (typeof link === 'string') parts.push(attribute(IFLA.IFNAME, link));
  if (change.alias !== undefined) parts.push(attribute(IFLA.IFALIAS, change.alias));
  if (change.mtu !== undefined) parts.push(attribute(IFLA.MTU, change.mtu));
  if (change.mac !== undefined) parts.push(attribute(IFLA.ADDRESS, macBytes(change.mac)));
  if (change.master !== undefined) parts.push(attribute(IFLA.MASTER, change.master));
  if (change.port !== undefined) {
    const settings = nested(
      IFLA_INFO.SLAVE_DATA,
      attribute(IFLA_BRPORT.MODE, Buffer.from([change.port.hairpin ? 1 : 0])),
      attribute(IFLA_BRPORT.ISOLATED, Buffer.from([change.port.isolated ? 1 : 0])),
    );
    parts.push(nested(IFLA.LINKINFO, attribute(IFLA_INFO.SLAVE_KIND, 'bridge'), settings));
  }
  if (change.noLinkLocal === true) {
    const mode = attribute(IFLA_INET6_ADDR_GEN_MODE, Buffer.from([IN6_ADDR_GEN_MODE_NONE]));
    parts.push(nested(IFLA.AF_SPEC, nested(AF_INET6, mode)));
  }
  return { step: `change link ${link}`, type: RTM_NEWLINK, flags: 0, body: Buffer.concat(parts) };
}

export function deleteLink(index: number, name: string): NetlinkMessage {
  return { step: `delete link ${name}`, type: RTM_DELLINK, flags: 0, body: ifinfomsg(index, 0, 0) };
}

/** All of a group at once: the kernel waits for its readers once, not once for each. @throws ENODEV for an empty group */
export function deleteLinkGroup(group: number): NetlinkMessage {
  const body = Buffer.concat([ifinfomsg(0, 0, 0), attribute(IFLA.GROUP, group)]);
  return { step: `delete links of group ${group}`, type: RTM_DELLINK, flags: 0, body };
}

const LINK_ATTRIBUTES: ReadonlySet<number> = new Set([
  IFLA.IFNAME,
  IFLA.MTU,
  IFLA.LINK,
  IFLA.MASTER,
  IFLA.LINKINFO,
  IFLA.IFALIAS,
  IFLA.GROUP,
]);

function parseLink(body: Buffer): Link {
  const attributes = parseAttributes(body, 16, LINK_ATTRIBUTES);
  const info = attributes.get(IFLA.LINKINFO);
  const kind = info === undefined ? undefined : parseAttributes(info, 0).get(IFLA_INFO.KIND);
  return {
    index: body.readInt32LE(4),
    name: textOf(attributes.get(IFLA.IFNAME)) ?? '',
    kind: textOf(kind),
    alias: textOf(attributes.get(IFLA.IFALIAS)),
    up: (body.readUInt32LE(8) & IFF_UP) !== 0,
    master: attributes.get(IFLA.MASTER)?.readUInt32LE(0) ?? 0,
    peer: attributes.get(IFLA.LINK)?.readUInt32LE(0) ?? 0,
    group: attributes.get(IFLA.GROUP)?.readUInt32LE(0) ?? 0,
    mtu: attributes.get(IFLA.MTU)?.readUInt32LE(0) ?? 0,
  };
}

function textOf(bytes: Buffer | undefined): string | null {
  if (bytes === undefined) return null;
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

export function listLinks(socket: NetlinkSocket): Link[] {
  const body = Buffer.concat([ifinfomsg(0, 0, 0), attribute(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS)]);
  return socket.query({ step: 'list links', type: RTM_GETLINK, flags: NLM_F_DUMP, body }).map(parseLink);
}

/**
 * Links that are in no other one: bridges, hardware, what was unplugged. A list of all is dear where containers are many:
 * for each veth the kernel searches the namespace of its other end among all (peernet2id_alloc).
 */
export function listTopLinks(socket: NetlinkSocket): Link[] {
  const filter = [attribute(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS), attribute(IFLA.MASTER, NO_MASTER)];
  const body = Buffer.concat([ifinfomsg(0, 0, 0), ...filter]);
  const links = socket.query({ step: 'list links', type: RTM_GETLINK, flags: NLM_F_DUMP, body }).map(parseLink);
  // A kernel before 5.16 finds no link with such a master, not even lo.
  return links.length > 0 ? links : listLinks(socket).filter(({ master }) => master === 0);
}

/** A port of a bridge, as the kernel reports it. */
export type PluggedLink = Pick<Link, 'index' | 'name' | 'up' | 'master'>;

/** The ports of all bridges of the namespace. */
export function listPluggedLinks(socket: NetlinkSocket): PluggedLink[] {
  const body = ifinfomsg(0, 0, 0, AF_BRIDGE);
  return socket.dump({ step: 'list bridge ports', type: RTM_GETLINK, flags: NLM_F_DUMP, body }, (bytes, start, end) => {
    let name = '';
    let master = 0;
    eachAttribute(bytes, start + 16, end, (type, from, to) => {
      if (type === IFLA.IFNAME) name = bytes.toString('utf8', from, to - 1);
      else if (type === IFLA.MASTER) master = bytes.readUInt32LE(from);
    });
    const flags = bytes.readUInt32LE(start + 8);
    const up = (flags & IFF_UP) !== 0 && (flags & IFF_LOWER_UP) !== 0;
    return { index: bytes.readInt32LE(start + 4), name, up, master };
  });
}

/** A link as its namespace names it. */
export type NamedLink = Pick<Link, 'index' | 'name'> & { readonly mac: string };

/** All links of the namespace. */
export function listNamedLinks(socket: NetlinkSocket): NamedLink[] {
  const body = Buffer.concat([ifinfomsg(0, 0, 0), attribute(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS)]);
  return socket.dump({ step: 'list links', type: RTM_GETLINK, flags: NLM_F_DUMP, body }, (bytes, start, end) => {
    let name = '';
    let mac = '';
    eachAttribute(bytes, start + 16, end, (type, from, to) => {
      if (type === IFLA.IFNAME) name = bytes.toString('utf8', from, to - 1);
      else if (type === IFLA.ADDRESS) mac = bytes.toString('hex', from, to).replace(/..(?=.)/g, '$&:');
    });
    return { index: bytes.readInt32LE(start + 4), name, mac };
  });
}

/** The link of this name, or null. */
export function findLink(socket: NetlinkSocket, name: string): Link | null {
  const body = Buffer.concat([
    ifinfomsg(0, 0, 0),
    attribute(IFLA.IFNAME, name),
    attribute(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS),
  ]);
  try {
    const [answer] = socket.query({ step: `look up link ${name}`, type: RTM_GETLINK, flags: 0, body });
    return answer === undefined ? null : parseLink(answer);
  } catch (error) {
    if (error instanceof TsdError && error.errno === constants.errno.ENODEV) return null;
    throw error;
  }
}
