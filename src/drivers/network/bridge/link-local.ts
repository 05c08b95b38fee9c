/** Keeping IPv6 off links of ours. */
import { existsSync } from 'node:fs';
import { changeLink } from '../../../ffi/network/links.ts';
import type { NetlinkMessage } from '../../../ffi/network/netlink.ts';

/** IPV6_MIN_MTU of include/uapi/linux/ipv6.h: a link with a smaller one has no IPv6, and refuses settings of it. */
const MIN_MTU = 1280;

/** False with `ipv6.disable=1` and on kernels without IPv6. */
export const hasIpv6 = (): boolean => existsSync('/proc/net/if_inet6');

/**
 * What keeps a link that has this MTU already from giving itself an IPv6 address. Before it is brought up, and not with the
 * same message: that brings it up first (do_setlink of net/core/rtnetlink.c).
 */
export function withoutLinkLocal(link: number, mtu: number): NetlinkMessage[] {
  return mtu >= MIN_MTU && hasIpv6() ? [changeLink(link, { noLinkLocal: true })] : [];
}
