/** What networks get whose manifest leaves it open: from the settings, the instance and the host. */
import { createHash } from 'node:crypto';
import { ipv6Problem, ipv6Unasked } from '../ffi/host/ipv6.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../ffi/network/netlink.ts';
import { hasRules } from '../ffi/network/source-rules.ts';
import { MIN_IPV6_MTU } from '../model/kinds/network-rules.ts';
import { poolsOf, uniqueLocalPool } from '../model/networks/address-pools.ts';
import type { NewNetworks } from '../reconcile/ops/networks/network.ts';
import type { DaemonConfig } from '../settings/daemon-config.ts';
import type { StateRoot } from '../state/root.ts';
import { defaultMtu } from '../supervisor/default-network.ts';

export function newNetworks(
  { defaultAddressPool, ipv6, iptables, mtu }: Pick<DaemonConfig, 'defaultAddressPool' | 'ipv6' | 'iptables' | 'mtu'>,
  { instanceId }: Pick<StateRoot, 'instanceId'>,
): NewNetworks {
  const unique = uniqueLocalPool(createHash('sha256').update(instanceId).digest('hex'));
  return {
    pools: poolsOf(defaultAddressPool, unique),
    families: () => {
      const lacking = ipv6 === 'auto' ? (ipv6Unasked() ?? lackingOf(iptables, mtu === 0 ? defaultMtu() : mtu)) : null;
      return { ipv6: ipv6 === 'auto' ? lacking === null : ipv6, ipv6Problem: ipv6Problem(), lacking };
    },
  };
}

/** What keeps a host that has IPv6 from giving it to networks that do not ask for it. */
function lackingOf(iptables: boolean, mtu: number): string | null {
  if (!iptables) return 'without rules (--iptables=false) whoever has a route to a container reaches all its ports';
  if (mtu < MIN_IPV6_MTU) return `the MTU of networks is ${mtu}, and IPv6 needs ${MIN_IPV6_MTU} (--mtu)`;
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  try {
    return hasRules(socket, 'ipv6') ? null : 'this kernel has no routing rules of IPv6 (CONFIG_IPV6_MULTIPLE_TABLES)';
  } finally {
    socket.close();
  }
}
