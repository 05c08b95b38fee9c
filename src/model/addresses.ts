/**
 * Arithmetic of IPv4 and IPv6 addresses, and the choices made with it: addresses of containers, subnets of networks, host
 * ports. Pure; addresses are unsigned numbers inside and text outside: dotted, or the form of RFC 5952.
 */
import { Address6 } from 'ip-address';

export type Family = 'ipv4' | 'ipv6';

export interface Address {
  readonly family: Family;
  readonly value: bigint;
}

export interface Cidr {
  readonly family: Family;
  /** As written: host bits may be set, as in 10.80.0.1/24. */
  readonly address: bigint;
  readonly prefixLength: number;
}

/** Inclusive range of addresses. */
export interface AddressRange {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
}

/** Bits of an address. */
export const ADDRESS_BITS: Readonly<Record<Family, number>> = { ipv4: 32, ipv6: 128 };

/**
 * Four decimal numbers without leading zeros, or an IPv6 address without a zone (`fe80::1%eth0` names an interface too);
 * null for anything else.
 * @param family the only one that is wanted; both without
 */
export function parseAddress(text: string, family?: Family): Address | null {
  if (text.includes(':')) return family === 'ipv4' ? null : parseIpv6(text);
  return family === 'ipv6' ? null : parseIpv4(text);
}

function parseIpv4(text: string): Address | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  let address = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    address = address * 256 + Number(part);
  }
  return { family: 'ipv4', value: BigInt(address) };
}

function parseIpv6(text: string): Address | null {
  // Lengths and zones the library takes for parts of an address.
  if (!/^[\da-f:.]{2,45}$/i.test(text) || !Address6.isValid(text)) return null;
  return { family: 'ipv6', value: new Address6(text).bigInt() };
}

export function formatAddress({ family, value }: Address): string {
  if (family === 'ipv6') return Address6.fromBigInt(value).correctForm();
  const number = Number(value);
  return [24, 16, 8, 0].map((shift) => (number >>> shift) & 0xff).join('.');
}

/** The one text of an address: `fd00::1` for `FD00:0::1`; null for text that is none. */
export function canonicalAddress(text: string): string | null {
  const address = parseAddress(text);
  return address && formatAddress(address);
}

/** Of an address or a network, which is valid already: only IPv6 is written with colons. */
export function familyOf(text: string): Family {
  return text.includes(':') ? 'ipv6' : 'ipv4';
}

/**
 * `10.80.0.1/24`, `fd00::1/64`; null when it is not an address, a slash and a length.
 * @param family the only one that is wanted; both without
 */
export function parseCidr(text: string, family?: Family): Cidr | null {
  const match = /^([\da-f:.]+)\/(0|[1-9]\d{0,2})$/i.exec(text);
  const address = match ? parseAddress(match[1] as string, family) : null;
  const prefixLength = Number(match?.[2]);
  if (address === null || prefixLength > ADDRESS_BITS[address.family]) return null;
  return { family: address.family, address: address.value, prefixLength };
}

/** @throws RangeError for text that is not a CIDR: the caller has validated it. */
function requireCidr(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === null) throw new RangeError(`${JSON.stringify(text)} is not a network in CIDR notation`);
  return cidr;
}

const sizeOf = (family: Family, prefixLength: number): bigint => 1n << BigInt(ADDRESS_BITS[family] - prefixLength);

/** First and last address of the network that a CIDR lies in. */
export function rangeOf({ family, address, prefixLength }: Cidr): AddressRange {
  const size = sizeOf(family, prefixLength);
  const first = address - (address % size);
  return { family, first, last: first + size - 1n };
}

const rangeIn = (cidr: string): AddressRange => rangeOf(requireCidr(cidr));

/** An address without the length of its prefix: `10.80.0.2` for `10.80.0.2/24`, and for itself. */
export function bareAddress(address: string): string {
  return address.split('/', 1)[0] as string;
}

/** The length of a network's prefix: 24 for `10.80.0.0/24`. @throws RangeError */
export function prefixLengthOf(cidr: string): number {
  return requireCidr(cidr).prefixLength;
}

/** An address with the prefix of its network: `10.80.0.1` in `10.80.0.0/24` is `10.80.0.1/24`. @throws RangeError */
export function addressIn(address: string, cidr: string): string {
  return `${address}/${prefixLengthOf(cidr)}`;
}

/**
 * The addresses that hosts of a network can have: neither its first (IPv6: any router, RFC 4291 section 2.6.1) nor its IPv4
 * broadcast. Between two IPv6 routers both are (RFC 6164).
 */
function hostsOf(cidr: Cidr): AddressRange {
  const { family, first, last } = rangeOf(cidr);
  if (family === 'ipv4') return { family, first: first + 1n, last: last - 1n };
  return { family, first: cidr.prefixLength >= 127 ? first : first + 1n, last };
}

/** The first address that a host of the network can have. @throws RangeError */
export function firstHostOf(cidr: string): string {
  const { family, first } = hostsOf(requireCidr(cidr));
  return formatAddress({ family, value: first });
}

/** True for an address of the network's family that a host of it can have. @throws RangeError */
export function isHostAddress(address: string, cidr: string): boolean {
  const { family, first, last } = hostsOf(requireCidr(cidr));
  const parsed = parseAddress(address, family);
  return parsed !== null && parsed.value >= first && parsed.value <= last;
}

/** The network a CIDR lies in, host bits cleared: `10.80.0.1/24` → `10.80.0.0/24`. @throws RangeError */
export function networkOf(cidr: string): string {
  const parsed = requireCidr(cidr);
  const { family, first } = rangeOf(parsed);
  return `${formatAddress({ family, value: first })}/${parsed.prefixLength}`;
}

/** The last address of a network. @throws RangeError */
export function broadcastOf(cidr: string): string {
  const { family, last } = rangeIn(cidr);
  return formatAddress({ family, value: last });
}

/** True when the two networks share an address; never of two families. @throws RangeError */
export function overlaps(a: string, b: string): boolean {
  const [left, right] = [rangeIn(a), rangeIn(b)];
  return left.family === right.family && left.first <= right.last && right.first <= left.last;
}

/** True when every address of `inner` is one of `outer`. @throws RangeError */
export function containsNetwork(outer: string, inner: string): boolean {
  const [around, within] = [rangeIn(outer), rangeIn(inner)];
  return around.family === within.family && around.first <= within.first && within.last <= around.last;
}

/** True for an address in a network. False for text that is no address. @throws RangeError for a malformed network */
export function containsAddress(cidr: string, address: string): boolean {
  const { family, first, last } = rangeIn(cidr);
  const parsed = parseAddress(address, family);
  return parsed !== null && parsed.value >= first && parsed.value <= last;
}

/** The largest prime below 2^40. */
const MAC_MODULUS = 1_099_511_627_689n;

/**
 * The MAC that belongs to an address, so that who has it cached is right when another container gets the address. Of IPv4
 * Docker's: 02:42 and its four bytes. Of IPv6 06 and its remainder by a prime: addresses less than 2^40 apart have another
 * one, and further ones hardly ever the same. @throws RangeError
 */
export function macOfAddress(address: string): string {
  const parsed = parseAddress(address);
  if (parsed === null) throw new RangeError(`${JSON.stringify(address)} is not an address`);
  const { family, value } = parsed;
  const [start, rest] = family === 'ipv4' ? [0x0242_00000000n, value] : [0x06_00_00000000n, value % MAC_MODULUS];
  const hex = (start + rest).toString(16).padStart(12, '0');
  return hex.replace(/..(?=.)/g, '$&:');
}

/** True for an address that counts on one link only (fe80::/10), with or without prefix length. */
export const isLinkLocal = (address: string): boolean => /^fe[89ab][\da-f]:/.test(address);

/** The address of an interface on its link, made from its MAC (EUI-64: RFC 4291, appendix A), with prefix length. */
export function linkLocalOf(mac: string): string {
  const bytes = mac.split(':').map((byte) => Number.parseInt(byte, 16));
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes;
  const half = [a ^ 2, b, c, 0xff, 0xfe, d, e, f].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${formatAddress({ family: 'ipv6', value: (0xfe80n << 112n) + BigInt(`0x${half}`) })}/64`;
}

/**
 * The first subnet of the pool that overlaps nothing occupied; null when there is none.
 * @param occupied networks in CIDR notation, of any family, in any order.
 * @throws RangeError for malformed networks.
 */
export function allocateSubnet(pool: string, prefixLength: number, occupied: readonly string[]): string | null {
  const bounds = rangeIn(pool);
  const { family } = bounds;
  const size = sizeOf(family, prefixLength);
  const ranges = occupied.map(rangeIn).filter((range) => range.family === family);
  ranges.sort((a, b) => (a.first < b.first ? -1 : Number(a.first > b.first)));
  let candidate = bounds.first;
  for (const range of ranges) {
    if (range.last < candidate) continue;
    if (range.first > candidate + size - 1n) break;
    candidate = ((range.last + size) / size) * size;
  }
  if (candidate + size - 1n > bounds.last) return null;
  return `${formatAddress({ family, value: candidate })}/${prefixLength}`;
}

/** Candidates for the default bridge, in Docker 1.4's order (daemon/networkdriver/bridge/driver.go, `addrs`). */
const DEFAULT_BRIDGE_ADDRESSES: readonly string[] = [
  '172.17.42.1/16',
  '10.0.42.1/16',
  '10.1.42.1/16',
  '10.42.42.1/16',
  '172.16.42.1/24',
  '172.16.43.1/24',
  '172.16.44.1/24',
  '10.0.42.1/24',
  '10.0.43.1/24',
  '192.168.42.1/24',
  '192.168.43.1/24',
  '192.168.44.1/24',
];

/** The address and prefix of the default bridge when none is configured; null when all candidates are occupied. */
export function chooseBridgeAddress(occupied: readonly string[]): string | null {
  return DEFAULT_BRIDGE_ADDRESSES.find((candidate) => !occupied.some((cidr) => overlaps(candidate, cidr))) ?? null;
}

/** Host ports that the kernel gives to programs that ask for any. */
export interface PortRange {
  readonly first: number;
  readonly last: number;
  /** Kept for somebody by the administrator. */
  readonly reserved: ReadonlySet<number>;
}

/** Where the kernel does not say (Docker 1.4: portallocator). */
export const DYNAMIC_PORTS: PortRange = { first: 49153, last: 65535, reserved: new Set() };

/**
 * The next free port after `last` in a range, wrapping; null when all are taken.
 * @param taken ports of this protocol that are in use.
 */
export function allocatePort(
  { first, last: end, reserved }: PortRange,
  taken: ReadonlySet<number>,
  last: number | null,
): number | null {
  const size = end - first + 1;
  const start = last === null || last < first || last >= end ? first : last + 1;
  for (let step = 0; step < size; step++) {
    const candidate = first + ((start - first + step) % size);
    if (!taken.has(candidate) && !reserved.has(candidate)) return candidate;
  }
  return null;
}
