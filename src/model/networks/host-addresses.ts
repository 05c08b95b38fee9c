/** Addresses of the host that ports are published on. Pure. */
import { canonicalAddress } from '../addresses.ts';

export const ANY_IPV4 = '0.0.0.0';
export const ANY_IPV6 = '::';

const isIpv6 = (address: string): boolean => address.includes(':');
const canonical = (address: string): string => canonicalAddress(address) ?? address;

/** An address before a port: `0.0.0.0`, `[::1]`. */
export const beforePort = (address: string): string => (isIpv6(address) ? `[${address}]` : address);

/**
 * Whether two addresses of the host have one in common, so that one port cannot be published on both. `0.0.0.0` stands for
 * all addresses of both families, as it is published; `::` for all of IPv6.
 */
export function shareAddress(a: string, b: string): boolean {
  const [first, second] = [canonical(a), canonical(b)];
  if (first === second || first === ANY_IPV4 || second === ANY_IPV4) return true;
  return (first === ANY_IPV6 && isIpv6(second)) || (second === ANY_IPV6 && isIpv6(first));
}
