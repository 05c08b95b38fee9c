import type { ObservedAddresses } from './observed.ts';

/**
 * The address by which a container with these networks reaches another one: on the first network that both are on, IPv4
 * first, as in the variables of links. Null where they have none in common.
 */
export function linkedAddress(
  theirs: readonly ObservedAddresses[],
  networks: readonly ObservedAddresses['network'][],
): string | null {
  const shared = networks.flatMap((key) => theirs.find(({ network }) => network === key) ?? []);
  return shared.find(({ ipv4 }) => ipv4 !== null)?.ipv4 ?? shared.find(({ ipv6 }) => ipv6 !== null)?.ipv6 ?? null;
}
