/** The abilities of this host for containers, as `docker info` has them, and what is said where one is missing. Pure. */
import type { HostAbilities, InfoView } from '../../api/views/host-views.ts';
import type { LimitName, Sysinfo } from '../../ffi/host/sysinfo.ts';
import type { LimitSupport } from '../../reconcile/kernel-limits.ts';
import type { NewNetworks } from '../../reconcile/ops/networks/network.ts';
import { shownFamilies } from '../../reconcile/ops/networks/network-families.ts';

export function hostAbilities({ limits, appArmor, cgroupVersion, forwarding }: Sysinfo): HostAbilities {
  const { ipv4, ipv6 } = forwarding();
  return {
    memoryLimit: limits.memory,
    swapLimit: limits.memorySwap,
    limits,
    ipv4Forwarding: ipv4,
    ipv6Forwarding: ipv6,
    appArmor,
    cgroupVersion,
  };
}

export function newNetworksView(newNetworks: Pick<NewNetworks, 'families'>): InfoView['newNetworks'] {
  const { ipv6, lacking } = shownFamilies(newNetworks);
  return { ipv6, lacking };
}

/** What a user may rely on and this host lacks. */
export function abilityWarnings(sysinfo: Sysinfo, { lacking, discarded }: LimitSupport): string[] {
  const follows = (limit: LimitName) =>
    discarded.has(limit) ? `resources.${limit} is discarded` : `a container with resources.${limit} is not started`;
  return [
    ...[...lacking]
      .filter((limit) => limit !== 'memorySwap' || !lacking.has('memory'))
      .map((limit) => `no ${LIMIT_WORDS[limit]} limit support: ${follows(limit)}`),
    ...(sysinfo.forwarding().ipv4 === false
      ? ['IPv4 forwarding is off: containers do not reach other hosts, and other hosts not their ports']
      : []),
    ...sysinfo.unread.map((reason) => `what this host can do is not known in full: ${reason}`),
  ];
}

const LIMIT_WORDS: Readonly<Record<LimitName, string>> = {
  memory: 'memory',
  memorySwap: 'swap',
  cpus: 'cpu quota',
  cpuShares: 'cpu shares',
  cpuset: 'cpuset',
  pids: 'pids',
};
