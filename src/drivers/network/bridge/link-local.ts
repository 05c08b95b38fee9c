/** IPv6 on links of ours: where it is not wanted it is off, and nowhere does a link give itself an address. */
import { existsSync } from 'node:fs';
import { changeLink } from '../../../ffi/network/links.ts';
import type { NetlinkMessage } from '../../../ffi/network/netlink.ts';
import { writeSetting } from '../sysctl.ts';
import type { BridgeNetwork } from './network-options.ts';

/** IPV6_MIN_MTU of include/uapi/linux/ipv6.h: a link with a smaller one has no IPv6, and refuses settings of it. */
export const MIN_IPV6_MTU = 1280;

/** False with `ipv6.disable=1` and on kernels without IPv6. */
export const hasIpv6 = (): boolean => existsSync('/proc/net/if_inet6');

/**
 * What keeps a link that has this MTU already from giving itself an IPv6 address. Before it is brought up, and not with the
 * same message: that brings it up first (do_setlink of net/core/rtnetlink.c).
 */
export function withoutLinkLocal(link: number, mtu: number): NetlinkMessage[] {
  return mtu >= MIN_IPV6_MTU && hasIpv6() ? [changeLink(link, { noLinkLocal: true })] : [];
}

/**
 * Of an interface in the namespace this thread is in, before it is up. Without IPv6 no advertisement of a neighbour gives it an
 * address; with IPv6 it has those that we give it.
 */
export function switchIpv6(name: string, { ipv6, mtu }: Pick<BridgeNetwork, 'ipv6' | 'mtu'>): void {
  if (mtu < MIN_IPV6_MTU || !hasIpv6()) return;
  writeSetting(`ipv6/conf/${name}/disable_ipv6`, ipv6 === null ? '1' : '0');
  if (ipv6 === null) return;
  writeSetting(`ipv6/conf/${name}/accept_ra`, '0');
  // The host tells who reaches a neighbour through it that the way is straight, where ports are isolated and it is not.
  writeSetting(`ipv6/conf/${name}/accept_redirects`, '0');
}
