/**
 * Links, addresses and routes. Builders return messages for {@link NetlinkSocket.request}; list functions read dumps.
 * Layouts and constants: linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h, linux/veth.h; rtnetlink(7).
 */
import { constants } from 'node:os';
import { formatAddress, parseAddress, parseCidr } from '../../model/addresses.ts';
import { TsdError } from '../../model/errors/errors.ts';
import {
  attribute,
  eachAttribute,
  type NetlinkMessage,
  type NetlinkSocket,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  nested,
  parseAttributes,
  u32,
} from './netlink.ts';

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;

const AF_UNSPEC = 0;
const AF_BRIDGE = 7;
const AF_INET = 2;
const AF_INET6 = 10;
const IFF_UP = 1;
const IFF_LOWER_UP = 0x10000;

const IFLA = {
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
const IFLA_INFO = { KIND: 1, DATA: 2, SLAVE_KIND: 4, SLAVE_DATA: 5 } as const;
const RTEXT_FILTER_SKIP_STATS = 8;
/** As a filter of a dump: links without a master (Linux 5.16). */
const NO_MASTER = 0xffffffff;
const VETH_INFO_PEER = 1;
const IFLA_BRPORT = { MODE: 4, ISOLATED: 33 } as const;
const IFLA_INET6_ADDR_GEN_MODE = 8;
const IN6_ADDR_GEN_MODE_NONE = 1;

const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8, TARGET_NETNSID: 10 } as const;
const IFA_F_NOPREFIXROUTE = 0x200;

const RTA = { DST: 1, OIF: 4, GATEWAY: 5, TABLE: 15 } as const;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;

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
  readonly port?: BridgePort;
  /** Gives the link no IPv6 address by itself. EAFNOSUPPORT for a link without IPv6. */
  readonly noLinkLocal?: boolean;
}

function ifinfomsg(index: number, flags: number, change: number, family = AF_UNSPEC): Buffer {
  const out = Buffer.alloc(16);
  out.writeUInt8(family, 0);
  out.writeInt32LE(index, 4);
  out.writeUInt32LE(flags, 8);
  out.writeUInt32LE(change, 12);
  return out;
}

function macBytes(mac: string): Buffer {
  return Buffer.from(mac.replaceAll(':', ''), 'hex');
}

/** The four bytes of an address in network order. @throws TsdError TSD_NETWORK for text that is none. */
export function addressBytes(address: string): Buffer {
  const value = parseAddress(address);
  if (value === null)
    throw new TsdError('TSD_NETWORK', `${JSON.stringify(address)} is not an IPv4 address`, { class: 'invalid' });
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
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

// ------------------------------------------------------------------------------------------------------------ addresses

export interface LinkAddress {
  readonly link: number;
  /** With prefix length: 10.80.0.1/24. */
  readonly address: string;
}

export interface ListedAddress extends LinkAddress {
  /** The kernel added a route to its subnet. */
  readonly prefixRoute: boolean;
}

function addressBody({ link, address }: LinkAddress, extra: readonly Buffer[]): Buffer {
  const [ip = '', length = '32'] = address.split('/');
  const header = Buffer.alloc(8);
  header.writeUInt8(AF_INET, 0);
  header.writeUInt8(Number(length), 1);
  header.writeUInt32LE(link, 4);
  const bytes = addressBytes(ip);
  return Buffer.concat([header, attribute(IFA.LOCAL, bytes), attribute(IFA.ADDRESS, bytes), ...extra]);
}

/** Adds an address or leaves it as it is. `broadcast` is dotted; `prefixRoute` false adds no route to the subnet. */
export function newAddress(
  target: LinkAddress,
  options: { readonly broadcast: string; readonly prefixRoute: boolean },
): NetlinkMessage {
  const extra = [attribute(IFA.BROADCAST, addressBytes(options.broadcast))];
  if (!options.prefixRoute) extra.push(attribute(IFA.FLAGS, IFA_F_NOPREFIXROUTE));
  const body = addressBody(target, extra);
  return { step: `add address ${target.address}`, type: RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_REPLACE, body };
}

export function deleteAddress(target: LinkAddress): NetlinkMessage {
  return { step: `delete address ${target.address}`, type: RTM_DELADDR, flags: 0, body: addressBody(target, []) };
}

/**
 * All IPv4 addresses of the socket's namespace, or of another one.
 * @param namespaceId needs a strict socket.
 */
export function listAddresses(socket: NetlinkSocket, namespaceId: number | null = null): ListedAddress[] {
  const header = Buffer.alloc(8);
  header.writeUInt8(AF_INET, 0);
  const elsewhere = namespaceId === null ? [] : [attribute(IFA.TARGET_NETNSID, u32(namespaceId))];
  const body = Buffer.concat([header, ...elsewhere]);
  const message = { step: 'list addresses', type: RTM_GETADDR, flags: NLM_F_DUMP, body };
  return socket.dump(message, readAddress).filter((found) => found !== null);
}

function readAddress(bytes: Buffer, start: number, end: number): ListedAddress | null {
  let local: number | null = null;
  let remote: number | null = null;
  let flags = 0;
  eachAttribute(bytes, start + 8, end, (type, from) => {
    if (type === IFA.LOCAL) local = bytes.readUInt32BE(from);
    else if (type === IFA.ADDRESS) remote = bytes.readUInt32BE(from);
    else if (type === IFA.FLAGS) flags = bytes.readUInt32LE(from);
  });
  const address = local ?? remote;
  if (address === null) return null;
  return {
    link: bytes.readUInt32LE(start + 4),
    address: `${formatAddress(address)}/${bytes.readUInt8(start + 1)}`,
    prefixRoute: (flags & IFA_F_NOPREFIXROUTE) === 0,
  };
}

// --------------------------------------------------------------------------------------------------------------- routes

function rtmsg(prefixLength: number, scope: number): Buffer {
  const out = Buffer.alloc(12);
  out.writeUInt8(AF_INET, 0);
  out.writeUInt8(prefixLength, 1);
  out.writeUInt8(RT_TABLE_MAIN, 4);
  out.writeUInt8(RTPROT_STATIC, 5);
  out.writeUInt8(scope, 6);
  out.writeUInt8(RTN_UNICAST, 7);
  return out;
}

export interface NewRoute {
  /** CIDR, `0.0.0.0/0` for the default route. */
  readonly destination: string;
  /** Null: the destination is on the link itself. */
  readonly gateway: string | null;
  readonly link: number;
}

/** Adds a route of the main table, in place of one to the same destination. */
export function newRoute({ destination, gateway, link }: NewRoute): NetlinkMessage {
  const cidr = parseCidr(destination);
  if (cidr === null) throw new TsdError('TSD_NETWORK', `${destination} is not a network`, { class: 'invalid' });
  const parts = [rtmsg(cidr.prefixLength, gateway === null ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE)];
  if (cidr.prefixLength > 0) parts.push(attribute(RTA.DST, addressBytes(formatAddress(cidr.address))));
  if (gateway !== null) parts.push(attribute(RTA.GATEWAY, addressBytes(gateway)));
  parts.push(attribute(RTA.OIF, u32(link)));
  const via = gateway === null ? '' : ` via ${gateway}`;
  const flags = NLM_F_CREATE | NLM_F_REPLACE;
  return { step: `add route ${destination}${via}`, type: RTM_NEWROUTE, flags, body: Buffer.concat(parts) };
}

export interface Route {
  readonly destination: string;
  /** Index of the outgoing link; 0 for a route without one (blackhole, multipath). */
  readonly link: number;
}

/** IPv4 routes of the main table. */
export function listRoutes(socket: NetlinkSocket): Route[] {
  const body = rtmsg(0, RT_SCOPE_UNIVERSE);
  const answers = socket.query({ step: 'list routes', type: RTM_GETROUTE, flags: NLM_F_DUMP, body });
  return answers.flatMap((answer) => {
    const attributes = parseAttributes(answer, 12);
    const table = attributes.get(RTA.TABLE)?.readUInt32LE(0) ?? answer.readUInt8(4);
    if (answer.readUInt8(0) !== AF_INET || table !== RT_TABLE_MAIN) return [];
    const destination = attributes.get(RTA.DST)?.readUInt32BE(0) ?? 0;
    return [
      {
        destination: `${formatAddress(destination)}/${answer.readUInt8(1)}`,
        link: attributes.get(RTA.OIF)?.readUInt32LE(0) ?? 0,
      },
    ];
  });
}
