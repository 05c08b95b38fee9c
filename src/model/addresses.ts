/**
 * IPv4 arithmetic and the choices made with it: addresses of containers, subnets of networks, host ports. Pure; addresses
 * are unsigned 32-bit numbers inside and dotted text outside.
 */

export interface Cidr {
  /** As written: host bits may be set, as in 10.80.0.1/24. */
  readonly address: number;
  readonly prefixLength: number;
}

/** Inclusive range of addresses. */
interface Range {
  readonly first: number;
  readonly last: number;
}

/** Four decimal numbers without leading zeros; null for anything else. */
export function parseAddress(text: string): number | null {
  const parts = text.split('.');
  if (parts.length !== 4) return null;
  let address = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    address = address * 256 + Number(part);
  }
  return address;
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 0xff).join('.');
}

/** `10.80.0.1/24`; null when it is not an address, a slash and a length of 0 to 32. */
export function parseCidr(text: string): Cidr | null {
  const match = /^([\d.]+)\/(0|[1-9]\d?)$/.exec(text);
  const address = match ? parseAddress(match[1] as string) : null;
  const prefixLength = Number(match?.[2]);
  return address === null || prefixLength > 32 ? null : { address, prefixLength };
}

/** @throws RangeError for text that is not a CIDR: the caller has validated it. */
function requireCidr(text: string): Cidr {
  const cidr = parseCidr(text);
  if (cidr === null) throw new RangeError(`${JSON.stringify(text)} is not an IPv4 network in CIDR notation`);
  return cidr;
}

/** First and last address of the network that a CIDR lies in. */
export function rangeOf({ address, prefixLength }: Cidr): Range {
  const size = 2 ** (32 - prefixLength);
  const first = Math.floor(address / size) * size;
  return { first, last: first + size - 1 };
}

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

/** The first address that a host of the network can have. @throws RangeError */
export function firstHostOf(cidr: string): string {
  return formatAddress(rangeOf(requireCidr(cidr)).first + 1);
}

/** True for an address that a host of the network can have: inside, and neither its first nor its last. @throws RangeError */
export function isHostAddress(address: string, cidr: string): boolean {
  const value = parseAddress(address);
  const { first, last } = rangeOf(requireCidr(cidr));
  return value !== null && value > first && value < last;
}

/** The network a CIDR lies in, host bits cleared: `10.80.0.1/24` → `10.80.0.0/24`. @throws RangeError */
export function networkOf(cidr: string): string {
  const parsed = requireCidr(cidr);
  return `${formatAddress(rangeOf(parsed).first)}/${parsed.prefixLength}`;
}

/** The last address of a network. @throws RangeError */
export function broadcastOf(cidr: string): string {
  return formatAddress(rangeOf(requireCidr(cidr)).last);
}

/** True when the two networks share an address. @throws RangeError */
export function overlaps(a: string, b: string): boolean {
  const [left, right] = [rangeOf(requireCidr(a)), rangeOf(requireCidr(b))];
  return left.first <= right.last && right.first <= left.last;
}

/** True when every address of `inner` is one of `outer`. @throws RangeError */
export function containsNetwork(outer: string, inner: string): boolean {
  const [around, within] = [rangeOf(requireCidr(outer)), rangeOf(requireCidr(inner))];
  return around.first <= within.first && within.last <= around.last;
}

/** Docker's MAC of an address: 02:42 and its four bytes. @throws RangeError */
export function macOfAddress(address: string): string {
  const value = parseAddress(address);
  if (value === null) throw new RangeError(`${JSON.stringify(address)} is not an IPv4 address`);
  const bytes = [0x02, 0x42, value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

export interface AddressPool {
  readonly subnet: string;
  readonly gateway: string;
  /** The part of the subnet that containers get addresses from (`--fixed-cidr`), or null for all of it. */
  readonly fixedCidr: string | null;
}

/**
 * The next free address after `last`, wrapping at the end; null when the pool is full. Never the network's own address,
 * its broadcast address or the gateway. Fresh pools are used in order, so a freed address rests as long as possible.
 * @param taken addresses in use, dotted.
 * @param last the address given out last, or null.
 * @throws RangeError when the pool is not valid.
 */
export function allocateAddress(
  pool: AddressPool,
  taken: Pick<ReadonlySet<string>, 'has'>,
  last: string | null,
): string | null {
  const network = rangeOf(requireCidr(pool.subnet));
  const part = pool.fixedCidr === null ? network : rangeOf(requireCidr(pool.fixedCidr));
  const first = Math.max(part.first, network.first + 1);
  const end = Math.min(part.last, network.last - 1);
  const size = end - first + 1;
  if (size <= 0) return null;
  const after = last === null ? null : parseAddress(last);
  const start = after === null || after < first || after >= end ? first : after + 1;
  for (let step = 0; step < size; step++) {
    const candidate = formatAddress(first + ((start - first + step) % size));
    if (candidate !== pool.gateway && !taken.has(candidate)) return candidate;
  }
  return null;
}

/** Subnets for networks that name none are cut from this. */
export const DEFAULT_SUBNET_POOL = '10.200.0.0/16';
export const DEFAULT_SUBNET_PREFIX_LENGTH = 24;

/**
 * The first subnet of the pool that overlaps nothing occupied; null when there is none.
 * @param occupied networks in CIDR notation, in any order.
 * @throws RangeError for malformed networks.
 */
export function allocateSubnet(pool: string, prefixLength: number, occupied: readonly string[]): string | null {
  const bounds = rangeOf(requireCidr(pool));
  const size = 2 ** (32 - prefixLength);
  const ranges = occupied.map((cidr) => rangeOf(requireCidr(cidr))).sort((a, b) => a.first - b.first);
  let candidate = bounds.first;
  for (const range of ranges) {
    if (range.last < candidate) continue;
    if (range.first > candidate + size - 1) break;
    candidate = Math.ceil((range.last + 1) / size) * size;
  }
  return candidate + size - 1 > bounds.last ? null : `${formatAddress(candidate)}/${prefixLength}`;
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

/** Range of host ports picked by us (Docker 1.4: portallocator). */
const FIRST_AUTO_PORT = 49153;
const LAST_AUTO_PORT = 65535;

/**
 * The next free port after `last` in 49153–65535, wrapping; null when all are taken.
 * @param taken ports of this protocol that are in use.
 */
export function allocatePort(taken: ReadonlySet<number>, last: number | null): number | null {
  const size = LAST_AUTO_PORT - FIRST_AUTO_PORT + 1;
  const start = last === null || last < FIRST_AUTO_PORT || last >= LAST_AUTO_PORT ? FIRST_AUTO_PORT : last + 1;
  for (let step = 0; step < size; step++) {
    const candidate = FIRST_AUTO_PORT + ((start - FIRST_AUTO_PORT + step) % size);
    if (!taken.has(candidate)) return candidate;
  }
  return null;
}
