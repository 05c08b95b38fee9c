/**
 * Routes. Builders return messages for {@link NetlinkSocket.request}; list functions read dumps.
 * Layouts and constants: linux/rtnetlink.h; rtnetlink(7).
 */
import { type Family, formatAddress, parseCidr } from '../../model/addresses.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { addressAt, addressBytes, FAMILY_OF } from './address-bytes.ts';
import {
  attribute,
  eachAttribute,
  type NetlinkMessage,
  type NetlinkSocket,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_REPLACE,
  u32,
} from './netlink.ts';

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;

const AF_UNSPEC = 0;

const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PREFSRC: 7, TABLE: 15 } as const;
const RT_TABLE_MAIN = 254;
/** What the kernel keeps itself for addresses of its own. */
const RT_TABLE_LOCAL = 255;
const RTPROT_UNSPEC = 0;
const RTPROT_STATIC = 4;
/** Of a router's advertisement. */
const RTPROT_RA = 9;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_NOWHERE = 255;
const RTN_UNSPEC = 0;
const RTN_UNICAST = 1;
const RTM_F_CLONED = 0x200;

/** Where everything goes that no other route leads to. */
export const DEFAULT_ROUTE: Readonly<Record<Family, string>> = { ipv4: '0.0.0.0/0', ipv6: '::/0' };

interface RouteHeader {
  readonly family: number;
  readonly prefixLength: number;
  readonly protocol: number;
  readonly scope: number;
  readonly type: number;
}

function rtmsg({ family, prefixLength, protocol, scope, type }: RouteHeader): Buffer {
  const out = Buffer.alloc(12);
  out.writeUInt8(family, 0);
  out.writeUInt8(prefixLength, 1);
  out.writeUInt8(RT_TABLE_MAIN, 4);
  out.writeUInt8(protocol, 5);
  out.writeUInt8(scope, 6);
  out.writeUInt8(type, 7);
  return out;
}

export interface NewRoute {
  /** CIDR, `0.0.0.0/0` or `::/0` for the default route. */
  readonly destination: string;
  /** Null: the destination is on the link itself. */
  readonly gateway: string | null;
  readonly link: number;
  /** The main one when left out. */
  readonly table?: number;
  /** The address that packets have of which a program says none. Left out, the kernel chooses. */
  readonly source?: string;
}

/** `scope`: of a route of IPv4; those of IPv6 have none. */
function routeBody(
  { destination, gateway, link, table, source }: NewRoute,
  { scope, ...kind }: Pick<RouteHeader, 'protocol' | 'scope' | 'type'>,
): Buffer {
  const cidr = parseCidr(destination);
  if (cidr === null) throw new TsdError('TSD_NETWORK', `${destination} is not a network`, { class: 'invalid' });
  const { family, prefixLength, address } = cidr;
  const header = { ...kind, family: FAMILY_OF[family], prefixLength };
  const parts = [rtmsg({ ...header, scope: family === 'ipv4' ? scope : RT_SCOPE_UNIVERSE })];
  if (prefixLength > 0) parts.push(attribute(RTA.DST, addressBytes(formatAddress({ family, value: address }))));
  if (gateway !== null) parts.push(attribute(RTA.GATEWAY, addressBytes(gateway)));
  parts.push(attribute(RTA.OIF, u32(link)));
  if (source !== undefined) parts.push(attribute(RTA.PREFSRC, addressBytes(source)));
  if (table !== undefined) parts.push(attribute(RTA.TABLE, u32(table)));
  return Buffer.concat(parts);
}

/** Adds a route, in place of one to the same destination (IPv6: and of the same metric). */
export function newRoute(route: NewRoute): NetlinkMessage {
  const { destination, gateway } = route;
  const scope = gateway === null ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  const via = gateway === null ? '' : ` via ${gateway}`;
  return {
    step: `add route ${destination}${via}`,
    type: RTM_NEWROUTE,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: routeBody(route, { protocol: RTPROT_STATIC, scope, type: RTN_UNICAST }),
  };
}

/** Removes a route. ESRCH when there is none. */
export function deleteRoute(route: NewRoute): NetlinkMessage {
  const body = routeBody(route, { protocol: RTPROT_UNSPEC, scope: RT_SCOPE_NOWHERE, type: RTN_UNSPEC });
  return { step: `delete route ${route.destination}`, type: RTM_DELROUTE, flags: 0, body };
}

export interface Route {
  readonly destination: string;
  /** Null for what is on the link itself, and for a route by several. */
  readonly gateway: string | null;
  /** Index of the outgoing link; 0 for a route without one (blackhole, multipath). */
  readonly link: number;
  /** It comes from a router's advertisement. */
  readonly advertised: boolean;
  /** The main one when left out. */
  readonly table?: number;
}

/**
 * IPv4 and IPv6 routes.
 * @param family the only one that is wanted; null for both
 * @param where in the main table, or also in those that rules lead to
 * @param link the only one that is wanted; null for all. With a strict socket the kernel leaves the others out
 */
export function listRoutes(
  socket: NetlinkSocket,
  family: Family | null,
  where: 'main' | 'any' = 'main',
  link: number | null = null,
): Route[] {
  const header = rtmsg({
    family: family === null ? AF_UNSPEC : FAMILY_OF[family],
    prefixLength: 0,
    protocol: RTPROT_UNSPEC,
    scope: RT_SCOPE_UNIVERSE,
    type: RTN_UNSPEC,
  });
  const body = link === null ? header : Buffer.concat([header, attribute(RTA.OIF, u32(link))]);
  const message = { step: 'list routes', type: RTM_GETROUTE, flags: NLM_F_DUMP, body };
  const all = socket.dump(message, readRoute).filter((route) => route !== null);
  const routes = link === null ? all : all.filter((route) => route.link === link);
  return where === 'any' ? routes : routes.filter(({ table }) => table === undefined);
}

function readRoute(bytes: Buffer, start: number, end: number): Route | null {
  const number = bytes.readUInt8(start);
  const family = (['ipv4', 'ipv6'] as const).find((name) => FAMILY_OF[name] === number);
  if (family === undefined || (bytes.readUInt32LE(start + 8) & RTM_F_CLONED) !== 0) return null;
  let table = bytes.readUInt8(start + 4);
  let destination: string | null = null;
  let gateway: string | null = null;
  let link = 0;
  eachAttribute(bytes, start + 12, end, (type, from) => {
    if (type === RTA.TABLE) table = bytes.readUInt32LE(from);
    else if (type === RTA.DST) destination = addressAt(bytes, from, number);
    else if (type === RTA.GATEWAY) gateway = addressAt(bytes, from, number);
    else if (type === RTA.OIF) link = bytes.readUInt32LE(from);
  });
  if (table === RT_TABLE_LOCAL) return null;
  return {
    ...(table !== RT_TABLE_MAIN && { table }),
    destination: destination === null ? DEFAULT_ROUTE[family] : `${destination}/${bytes.readUInt8(start + 1)}`,
    gateway,
    link,
    advertised: bytes.readUInt8(start + 5) === RTPROT_RA,
  };
}
