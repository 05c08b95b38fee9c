/**
 * Which addresses networks and containers get where no manifest says so. Pure: what is in use is handed in, with who uses
 * it, so that what does not fit can be explained.
 */
import {
  ADDRESS_BITS,
  type AddressRange,
  allocateSubnet,
  containsNetwork,
  type Family,
  familyOf,
  formatAddress,
  networkOf,
  overlaps,
  parseAddress,
  parseCidr,
  prefixLengthOf,
  rangeOf,
} from '../addresses.ts';
import { type Parsed, parsed, refused } from '../kinds/short-forms.ts';

/** Networks that name no subnet get a part of `base` with prefixes of this length. */
export interface SubnetPool {
  readonly base: string;
  readonly size: number;
}

/** Docker's: 31 networks. */
export const DEFAULT_IPV4_POOLS: readonly SubnetPool[] = [
  ...Array.from({ length: 15 }, (_, index) => ({ base: `172.${17 + index}.0.0/16`, size: 16 })),
  { base: '192.168.0.0/16', size: 20 },
];

/** RFC 4193: fd, 40 bits that no other site has, 16 bits for the networks of this one. @param digest hex, of what is unique to the instance. */
export function uniqueLocalPool(digest: string): SubnetPool {
  const id = `fd${digest.slice(0, 10)}`;
  return { base: networkOf(`${id.slice(0, 4)}:${id.slice(4, 8)}:${id.slice(8, 12)}::/48`), size: 64 };
}

/** The pools of both families: a family without a pool of its own has the default ones. */
export function poolsOf(
  given: readonly SubnetPool[],
  unique: SubnetPool,
): Readonly<Record<Family, readonly SubnetPool[]>> {
  const of = (family: Family, standard: readonly SubnetPool[]) => {
    const own = given.filter(({ base }) => familyOf(base) === family);
    return own.length > 0 ? own : standard;
  };
  return { ipv4: of('ipv4', DEFAULT_IPV4_POOLS), ipv6: of('ipv6', [unique]) };
}

/** The longest prefix that leaves room for a gateway and a container. */
const LONGEST: Readonly<Record<Family, number>> = { ipv4: 30, ipv6: 126 };

/** `base=10.96.0.0/12,size=24`, as the flag of Docker. */
export function parseSubnetPool(text: string): Parsed<SubnetPool> {
  const form = `"${text}" is no address pool; write base=10.96.0.0/12,size=24`;
  const parts = text.split(',').map((part) => part.trim().split('='));
  const values = Object.fromEntries(parts.map(([name = '', value = '']) => [name, value]));
  const { base = '', size = '', ...others } = values as Record<string, string>;
  if (Object.keys(others).length > 0 || parts.length !== 2) return refused(form);
  const cidr = parseCidr(base);
  if (cidr === null || !/^\d{1,3}$/.test(size)) return refused(form);
  const length = Number(size);
  const longest = LONGEST[cidr.family];
  if (length < cidr.prefixLength || length > longest) {
    return refused(`"${text}": the size is the prefix length of a network, ${cidr.prefixLength} to ${longest} here`);
  }
  return parsed({ base: networkOf(base), size: length });
}

/** A part of the address space that is in use. */
export interface UsedSubnet {
  readonly subnet: string;
  /** By whom, as words that stand after a subnet: `network/blog/back`, `route of eth0`. */
  readonly by: string;
  /** True for a route that leads to more than it needs: what is cut out of it still works, and is cut out last. */
  readonly yields?: boolean;
}

/** The first free subnet of the pools: beside everything in use, else inside what yields; null when there is none. */
export function chooseSubnet(pools: readonly SubnetPool[], used: readonly UsedSubnet[]): string | null {
  for (const taken of [used, used.filter(({ yields }) => yields !== true)]) {
    const occupied = taken.map(({ subnet }) => subnet);
    for (const { base, size } of pools) {
      const free = allocateSubnet(base, size, occupied);
      if (free !== null) return free;
    }
  }
  return null;
}

/** How many users a sentence names. */
const MAX_NAMED = 8;

/** `172.17.0.0/16 to 172.31.0.0/16, 192.168.0.0/16 in /20`: pools that are given out whole and follow each other in one. */
export function describePools(pools: readonly SubnetPool[]): string {
  const runs: { first: string; last: string; end: bigint | null }[] = [];
  for (const { base, size } of pools) {
    const { first, last } = rangeIn(base);
    const isWhole = prefixLengthOf(base) === size;
    const run = runs.at(-1);
    if (isWhole && run && run.end !== null && run.end + 1n === first) {
      run.last = base;
      run.end = last;
    } else {
      const text = isWhole ? base : `${base} in /${size}`;
      runs.push({ first: text, last: text, end: isWhole ? last : null });
    }
  }
  return runs.map(({ first, last }) => (first === last ? first : `${first} to ${last}`)).join(', ');
}

/**
 * What uses the pools, for people: `172.17.0.0/16 network/blog/back, …`. The route to a network is not another user of its
 * subnet, and what is none of our networks comes first: no other list has that.
 */
export function usersOfPools(pools: readonly SubnetPool[], used: readonly UsedSubnet[]): string {
  const within = new Map<string, UsedSubnet>();
  for (const one of used) {
    const isInTheWay = one.yields !== true && pools.some(({ base }) => overlaps(base, one.subnet));
    if (isInTheWay && !within.has(one.subnet)) within.set(one.subnet, one);
  }
  const isOurs = ({ by }: UsedSubnet): boolean => by.startsWith('network/');
  const all = [...within.values()].sort((a, b) => Number(isOurs(a)) - Number(isOurs(b)));
  return someOf(all.map(({ subnet, by }) => `${subnet} ${by}`));
}

function someOf(users: readonly string[]): string {
  const more = users.length - MAX_NAMED;
  return [...users.slice(0, MAX_NAMED), ...(more > 0 ? [`${more} more`] : [])].join(', ');
}

/** A route of the host, as far as it can stand in the way of a network. */
interface HostRoute {
  readonly destination: string;
  /** Null: the destination is on the link itself. */
  readonly gateway: string | null;
  /** Name of the interface; empty for a route without one. */
  readonly link: string;
}

/** A prefix of less bits stands for everything, as 0.0.0.0/1 and 128.0.0.0/1 of a VPN do. */
const DEFAULT_LIKE_BITS = 8;

/**
 * What the routes of the host say about a subnet that somebody asks for, or about all when none is asked for.
 * What is on a link is in use. What lies behind a gateway is, where it is no more than the subnet; a wider route goes on to
 * lead to the rest.
 */
function usedByRoutes(routes: readonly HostRoute[], wanted: string | null): UsedSubnet[] {
  return routes.flatMap(({ destination, gateway, link }) => {
    if (prefixLengthOf(destination) < DEFAULT_LIKE_BITS) return [];
    const by = `route${gateway === null ? '' : ` via ${gateway}`}${link === '' ? '' : ` of ${link}`}`;
    const beyond = gateway !== null && (wanted === null || !containsNetwork(wanted, destination));
    if (beyond && wanted !== null) return [];
    return [{ subnet: destination, by, ...(beyond && { yields: true }) }];
  });
}

/** What the host uses: its routes, and the name servers that it asks. */
export interface HostUse {
  readonly routes: readonly HostRoute[];
  /** Addresses. */
  readonly nameServers: readonly string[];
}

/** Everything of the host that is in the way of a subnet; all that it uses where none is asked for. */
export function usedByHost({ routes, nameServers }: HostUse, wanted: string | null): UsedSubnet[] {
  const servers = nameServers.map((address) => ({
    subnet: `${address}/${ADDRESS_BITS[familyOf(address)]}`,
    by: 'name server of this host',
  }));
  return [...usedByRoutes(routes, wanted), ...servers];
}

/** Addresses of one family that a network gives out. */
export interface LeasePool {
  readonly subnet: string;
  /** Null: the network has none. */
  readonly gateway: string | null;
  /** The part of the subnet that addresses are given out from; null for all of it. */
  readonly range: string | null;
  /** Addresses and subnets that are never given out, of any family. */
  readonly reserved: readonly string[];
}

const rangeIn = (text: string): AddressRange => {
  const cidr = parseCidr(text.includes('/') ? text : `${text}/${ADDRESS_BITS[familyOf(text)]}`);
  if (cidr === null) throw new RangeError(`${JSON.stringify(text)} is neither an address nor a network`);
  return rangeOf(cidr);
};

/** Addresses that containers of a pool can have at all: without the network's own, its broadcast (IPv4) and any router (IPv6). */
function hostsOf({ subnet, range }: Pick<LeasePool, 'subnet' | 'range'>): AddressRange {
  const { family, first, last } = rangeIn(subnet);
  const length = prefixLengthOf(subnet);
  const ends = length >= ADDRESS_BITS[family] - 1 ? 0n : 1n;
  const hosts = { family, first: first + ends, last: family === 'ipv4' ? last - ends : last };
  if (range === null) return hosts;
  const part = rangeIn(range);
  return {
    family,
    first: part.first > hosts.first ? part.first : hosts.first,
    last: part.last < hosts.last ? part.last : hosts.last,
  };
}

/** What is never given out, as ranges in order. */
function closedRanges({ gateway, reserved }: LeasePool, family: Family): AddressRange[] {
  const ranges = [...(gateway === null ? [] : [gateway]), ...reserved]
    .map(rangeIn)
    .filter((one) => one.family === family);
  return ranges.sort((a, b) => (a.first < b.first ? -1 : Number(a.first > b.first)));
}

/**
 * The next free address after `last`, wrapping at the end; null when the pool is full. Fresh pools are used in order, so
 * that a freed address rests as long as possible. Reserved subnets are stepped over as a whole.
 * @param taken addresses in use, in the form of {@link formatAddress}
 * @param last the address given out last, or null
 * @throws RangeError when the pool is not valid
 */
export function nextAddress(
  pool: LeasePool,
  taken: Pick<ReadonlySet<string>, 'has'>,
  last: string | null,
): string | null {
  const { family, first, last: end } = hostsOf(pool);
  if (first > end) return null;
  const closed = closedRanges(pool, family);
  const after = last === null ? null : (parseAddress(last, family)?.value ?? null);
  const start = after === null || after < first || after >= end ? first : after + 1n;
  const search = (from: bigint, to: bigint): string | null => {
    for (let value = from; value <= to; ) {
      const closing = closed.find((range) => range.first <= value && value <= range.last);
      if (closing) {
        value = closing.last + 1n;
        continue;
      }
      const address = formatAddress({ family, value });
      if (!taken.has(address)) return address;
      value += 1n;
    }
    return null;
  };
  return search(start, end) ?? (start === first ? null : search(first, start - 1n));
}

/** Who holds an address. */
export interface HeldAddress {
  readonly address: string;
  readonly by: string;
}

/** Why a pool has no address left, for people: how many there are, and who has them. */
export function describeFullPool(pool: LeasePool, held: readonly HeldAddress[]): string {
  const { first, last } = hostsOf(pool);
  const size = first > last ? 0n : last - first + 1n;
  const part = pool.range === null ? pool.subnet : `${pool.range} of ${pool.subnet}`;
  const users = someOf(held.map(({ address, by }) => `${address} ${by}`));
  const others = [
    pool.gateway === null ? '' : `gateway ${pool.gateway}`,
    pool.reserved.length === 0 ? '' : `reserved ${pool.reserved.join(', ')}`,
  ];
  const closed = others.filter((text) => text !== '').join('; ');
  return `${part} has ${size} addresses for containers${closed === '' ? '' : ` (${closed})`}; in use: ${users || 'none'}`;
}
