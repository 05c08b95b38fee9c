/** Names of a container's interfaces. Pure. */
import type { NetworkMembership } from '../../../model/kinds/network-membership.ts';

/** Longer lists of networks are refused. */
const MOST = 1024;

/**
 * Gives each network its name: the declared one, the one it had, or the lowest free of eth0, eth1... in the order of the
 * networks. A name that another network asks for is given up.
 * @param kept names by key of the network, as they were
 */
export function interfaceNames(
  networks: readonly { readonly key: string; readonly membership: Pick<NetworkMembership, 'interfaceName'> }[],
  kept: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const names = new Map<string, string>();
  const used = new Set<string>();
  const give = (key: string, name: string): void => {
    names.set(key, name);
    used.add(name);
  };
  for (const { key, membership } of networks)
    if (membership.interfaceName !== null) give(key, membership.interfaceName);
  for (const { key } of networks) {
    const before = Object.hasOwn(kept, key) ? kept[key] : undefined;
    // A name that was declared and is not any more is an ordinary one again.
    if (names.has(key) || before === undefined || used.has(before) || !/^eth\d+$/.test(before)) continue;
    give(key, before);
  }
  for (const { key } of networks) if (!names.has(key)) give(key, lowestFree(used));
  return Object.fromEntries(networks.map(({ key }) => [key, names.get(key) as string]));
}

function lowestFree(used: ReadonlySet<string>): string {
  for (let index = 0; index < MOST; index++) if (!used.has(`eth${index}`)) return `eth${index}`;
  throw new RangeError('no interface name is free');
}
