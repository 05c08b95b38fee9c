/** What networks get whose manifest leaves it open: from the settings, the instance and the host. */
import { createHash } from 'node:crypto';
import { ipv6Problem } from '../ffi/host/ipv6.ts';
import { poolsOf, uniqueLocalPool } from '../model/networks/address-pools.ts';
import type { NewNetworks } from '../reconcile/ops/networks/network.ts';
import type { DaemonConfig } from '../settings/daemon-config.ts';
import type { StateRoot } from '../state/root.ts';

export function newNetworks(
  { defaultAddressPool, ipv6, iptables }: Pick<DaemonConfig, 'defaultAddressPool' | 'ipv6' | 'iptables'>,
  { instanceId }: Pick<StateRoot, 'instanceId'>,
): NewNetworks {
  const unique = uniqueLocalPool(createHash('sha256').update(instanceId).digest('hex'));
  return {
    pools: poolsOf(defaultAddressPool, unique),
    families: () => {
      const problem = ipv6Problem();
      // Without rules whoever has a route to a container reaches all its ports.
      return { ipv6: ipv6 === 'auto' ? iptables && problem === null : ipv6, ipv6Problem: problem };
    },
  };
}
