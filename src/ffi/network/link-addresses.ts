/**
 * IPv4 addresses of links. Builders return messages for {@link NetlinkSocket.request}; list functions read dumps.
 * Layouts and constants: linux/rtnetlink.h, linux/if_addr.h; rtnetlink(7).
 */
import { formatAddress, parseAddress } from '../../model/addresses.ts';
import { TsdError } from '../../model/errors/errors.ts';
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

const AF_INET = 2;

const IFA = { ADDRESS: 1, LOCAL: 2, BROADCAST: 4, FLAGS: 8, TARGET_NETNSID: 10 } as const;
const IFA_F_NOPREFIXROUTE = 0x200;

/** The four bytes of an address in network order. @throws TsdError TSD_NETWORK for text that is none. */
export function addressBytes(address: string): Buffer {
  const value = parseAddress(address);
  if (value === null)
    throw new TsdError('TSD_NETWORK', `${JSON.stringify(address)} is not an IPv4 address`, { class: 'invalid' });
  const out = Buffer.alloc(4);
  out.writeUInt32BE(value);
  return out;
}

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
