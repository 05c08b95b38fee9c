/**
 * Addresses of links. Builders return messages for {@link NetlinkSocket.request}; list functions read dumps.
 * Layouts and constants: linux/rtnetlink.h, linux/if_addr.h; rtnetlink(7).
 */
import { broadcastOf, type Family, familyOf } from '../../model/addresses.ts';
import { addressAt, addressBytes, FAMILY_OF, familyNumber } from './address-bytes.ts';
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

const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;

const AF_UNSPEC = 0;

const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8, TARGET_NETNSID: 10 } as const;
const IFA_F_NODAD = 0x02;
const IFA_F_NOPREFIXROUTE = 0x200;

export interface LinkAddress {
  readonly link: number;
  /** With prefix length: 10.80.0.1/24, fd00::1/64. */
  readonly address: string;
}

export interface ListedAddress extends LinkAddress {
  /** The kernel added a route to its subnet. */
  readonly prefixRoute: boolean;
}

function addressBody({ link, address }: LinkAddress, extra: readonly Buffer[]): Buffer {
  const [ip = '', length = '32'] = address.split('/');
  const bytes = addressBytes(ip);
  const header = Buffer.alloc(8);
  header.writeUInt8(familyNumber(bytes), 0);
  header.writeUInt8(Number(length), 1);
  header.writeUInt32LE(link, 4);
  return Buffer.concat([header, attribute(IFA.LOCAL, bytes), attribute(IFA.ADDRESS, bytes), ...extra]);
}

/**
 * Adds an address or leaves it as it is. `prefixRoute` false adds no route to the subnet. An IPv6 address can be used at
 * once: others are not asked whether they have it, which takes a second in which no program can bind it.
 */
export function newAddress(target: LinkAddress, options: { readonly prefixRoute: boolean }): NetlinkMessage {
  const { address } = target;
  const isIpv6 = familyOf(address) === 'ipv6';
  const flags = (isIpv6 ? IFA_F_NODAD : 0) | (options.prefixRoute ? 0 : IFA_F_NOPREFIXROUTE);
  const broadcast = isIpv6 ? [] : [attribute(IFA.BROADCAST, addressBytes(broadcastOf(address)))];
  const body = addressBody(target, flags === 0 ? broadcast : [...broadcast, attribute(IFA.FLAGS, flags)]);
  return { step: `add address ${address}`, type: RTM_NEWADDR, flags: NLM_F_CREATE | NLM_F_REPLACE, body };
}

export function deleteAddress(target: LinkAddress): NetlinkMessage {
  return { step: `delete address ${target.address}`, type: RTM_DELADDR, flags: 0, body: addressBody(target, []) };
}

/**
 * All IPv4 and IPv6 addresses of the socket's namespace, or of another one.
 * @param family the only one that is wanted; null for both
 * @param namespaceId needs a strict socket.
 */
export function listAddresses(
  socket: NetlinkSocket,
  family: Family | null,
  namespaceId: number | null = null,
): ListedAddress[] {
  const header = Buffer.alloc(8);
  header.writeUInt8(family === null ? AF_UNSPEC : FAMILY_OF[family], 0);
  const elsewhere = namespaceId === null ? [] : [attribute(IFA.TARGET_NETNSID, u32(namespaceId))];
  const body = Buffer.concat([header, ...elsewhere]);
  const message = { step: 'list addresses', type: RTM_GETADDR, flags: NLM_F_DUMP, body };
  return socket.dump(message, readAddress).filter((found) => found !== null);
}

function readAddress(bytes: Buffer, start: number, end: number): ListedAddress | null {
  const family = bytes.readUInt8(start);
  let local: string | null = null;
  let remote: string | null = null;
  let flags = 0;
  eachAttribute(bytes, start + 8, end, (type, from) => {
    if (type === IFA.LOCAL) local = addressAt(bytes, from, family);
    else if (type === IFA.ADDRESS && local === null) remote = addressAt(bytes, from, family);
    else if (type === IFA.FLAGS) flags = bytes.readUInt32LE(from);
  });
  const address = local ?? remote;
  if (address === null) return null;
  return {
    link: bytes.readUInt32LE(start + 4),
    address: `${address}/${bytes.readUInt8(start + 1)}`,
    prefixRoute: (flags & IFA_F_NOPREFIXROUTE) === 0,
  };
}
