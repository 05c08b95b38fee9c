/**
 * IPv4 routes of the main table. Builders return messages for {@link NetlinkSocket.request}; list functions read dumps.
 * Layouts and constants: linux/rtnetlink.h; rtnetlink(7).
 */
import { formatAddress, parseCidr } from '../../model/addresses.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { addressBytes } from './link-addresses.ts';
import {
  attribute,
  type NetlinkMessage,
  type NetlinkSocket,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_REPLACE,
  parseAttributes,
  u32,
} from './netlink.ts';

const RTM_NEWROUTE = 24;
const RTM_GETROUTE = 26;

const AF_INET = 2;

const RTA = { DST: 1, OIF: 4, GATEWAY: 5, TABLE: 15 } as const;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RTN_UNICAST = 1;

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
