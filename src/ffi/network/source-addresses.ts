/**
 * What decides which of several addresses a connection is opened from: rules that look routes of TCP up in a table of their
 * own, copies of the main table's routes in it with another source, and IPv6 addresses that are used for nothing new.
 * Layouts and constants: linux/fib_rules.h, linux/rtnetlink.h, linux/if_addr.h; rtnetlink(7), ip-rule(8).
 */
import type { Family } from '../../model/addresses.ts';
import { addressBytes, FAMILY_OF } from './address-bytes.ts';
import type { ListedAddress } from './link-addresses.ts';
import {
  attribute,
  type NetlinkMessage,
  type NetlinkSocket,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  parseAttributes,
  u32,
} from './netlink.ts';

const RTM_NEWADDR = 20;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;
const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;

const FRA = { PRIORITY: 6, TABLE: 15, IP_PROTO: 22 } as const;
const FR_ACT_TO_TBL = 1;
const IPPROTO_TCP = 6;

const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PRIORITY: 6, PREFSRC: 7, TABLE: 15 } as const;
/** What of a route is copied. */
const COPIED = [RTA.DST, RTA.OIF, RTA.GATEWAY, RTA.PRIORITY] as const;
const RT_TABLE_UNSPEC = 0;
const RT_TABLE_MAIN = 254;
const RTN_UNICAST = 1;
const RTM_F_CLONED = 0x200;
const HEADER_BYTES = 12;

const IFA = { ADDRESS: 1, LOCAL: 2, CACHEINFO: 6, FLAGS: 8 } as const;
const IFA_F_NODAD = 0x02;
const IFA_F_NOPREFIXROUTE = 0x200;
const FOREVER = 0xff_ff_ff_ff;
const NO_LIFETIME = 0;

/** Lets an IPv6 address that is there be the source of nothing new, as long as there is another. */
export function deprecatedAddress({ link, address, prefixRoute }: ListedAddress): NetlinkMessage {
  const [ip = '', length = '128'] = address.split('/');
  const header = Buffer.alloc(8);
  header.writeUInt8(FAMILY_OF.ipv6, 0);
  header.writeUInt8(Number(length), 1);
  header.writeUInt32LE(link, 4);
  const body = Buffer.concat([
    header,
    attribute(IFA.LOCAL, addressBytes(ip)),
    attribute(IFA.ADDRESS, addressBytes(ip)),
    attribute(IFA.FLAGS, IFA_F_NODAD | (prefixRoute ? 0 : IFA_F_NOPREFIXROUTE)),
    // Preferred for, valid for, and two times that the kernel keeps itself.
    attribute(IFA.CACHEINFO, Buffer.concat([NO_LIFETIME, FOREVER, 0, 0].map(u32))),
  ]);
  return { step: `deprecate address ${address}`, type: RTM_NEWADDR, flags: NLM_F_REPLACE, body };
}

/** struct fib_rule_hdr. */
function ruleHeader(family: Family): Buffer {
  const out = Buffer.alloc(HEADER_BYTES);
  out.writeUInt8(FAMILY_OF[family], 0);
  out.writeUInt8(FR_ACT_TO_TBL, 7);
  return out;
}

export interface TcpRule {
  readonly family: Family;
  readonly priority: number;
  readonly table: number;
}

function ruleBody({ family, priority, table }: TcpRule): Buffer {
  return Buffer.concat([
    ruleHeader(family),
    attribute(FRA.PRIORITY, priority),
    attribute(FRA.TABLE, table),
    attribute(FRA.IP_PROTO, Buffer.from([IPPROTO_TCP])),
  ]);
}

/** Linux 4.17. EEXIST when it is there. */
export function newTcpRule(rule: TcpRule): NetlinkMessage {
  const step = `add a rule for ${rule.family} tcp`;
  return { step, type: RTM_NEWRULE, flags: NLM_F_CREATE | NLM_F_EXCL, body: ruleBody(rule) };
}

/** ENOENT when it is not there. */
export function deleteTcpRule(rule: TcpRule): NetlinkMessage {
  return { step: `delete the rule for ${rule.family} tcp`, type: RTM_DELRULE, flags: 0, body: ruleBody(rule) };
}

interface RawRoute {
  readonly header: Buffer;
  readonly table: number;
  readonly attributes: ReadonlyMap<number, Buffer>;
}

function rawRoutes(socket: NetlinkSocket, family: Family): RawRoute[] {
  const body = Buffer.alloc(HEADER_BYTES);
  body.writeUInt8(FAMILY_OF[family], 0);
  const answers = socket.query({ step: 'list routes', type: RTM_GETROUTE, flags: NLM_F_DUMP, body });
  return answers.flatMap((answer) => {
    const header = answer.subarray(0, HEADER_BYTES);
    const attributes = parseAttributes(answer, HEADER_BYTES);
    const table = attributes.get(RTA.TABLE)?.readUInt32LE(0) ?? header.readUInt8(4);
    const isOther = header.readUInt8(7) !== RTN_UNICAST || (header.readUInt32LE(8) & RTM_F_CLONED) !== 0;
    return isOther ? [] : [{ header, table, attributes }];
  });
}

function routeBody({ header, attributes }: RawRoute, table: number, more: readonly Buffer[]): Buffer {
  const own = Buffer.from(header);
  own.writeUInt8(RT_TABLE_UNSPEC, 4);
  own.writeUInt32LE(0, 8);
  const copied = COPIED.flatMap((type) => {
    const value = attributes.get(type);
    return value === undefined ? [] : [attribute(type, value)];
  });
  return Buffer.concat([own, ...copied, attribute(RTA.TABLE, u32(table)), ...more]);
}

/**
 * Copies of the main table's routes of the source's family; those by its link have it as their source. Of other links only what
 * is not copied yet: EEXIST says that it is.
 */
export function copiesOfRoutes(
  socket: NetlinkSocket,
  table: number,
  source: { readonly family: Family; readonly address: string; readonly link: number },
): NetlinkMessage[] {
  const preferred = attribute(RTA.PREFSRC, addressBytes(source.address));
  return rawRoutes(socket, source.family)
    .filter((route) => route.table === RT_TABLE_MAIN)
    .map((route) => {
      const isOwn = route.attributes.get(RTA.OIF)?.readUInt32LE(0) === source.link;
      return {
        step: 'copy a route',
        type: RTM_NEWROUTE,
        flags: NLM_F_CREATE | (isOwn ? NLM_F_REPLACE : NLM_F_EXCL),
        body: routeBody(route, table, isOwn ? [preferred] : []),
      };
    });
}

/** Messages that empty a table. */
export function routesGone(socket: NetlinkSocket, table: number, family: Family): NetlinkMessage[] {
  return rawRoutes(socket, family)
    .filter((route) => route.table === table)
    .map((route) => ({
      step: 'delete a copied route',
      type: RTM_DELROUTE,
      flags: 0,
      body: routeBody(route, table, []),
    }));
}
