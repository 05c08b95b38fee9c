import { type HostFiles, KERNEL_FILES } from './host-files.ts';

/** There unless the kernel is without IPv6, or was started with ipv6.disable=1. */
const ADDRESSES = '/proc/net/if_inet6';
const SETTINGS = '/proc/sys/net/ipv6/conf';

const isOff = (files: HostFiles, links: 'all' | 'default'): boolean =>
  files.text(`${SETTINGS}/${links}/disable_ipv6`)?.trim() === '1';

/** Why links of the network namespace that this thread is in have no IPv6; null where they have. */
export function ipv6Problem(files: HostFiles = KERNEL_FILES): string | null {
  if (files.text(ADDRESSES) === null) return 'this kernel has no IPv6';
  return isOff(files, 'all') ? 'net.ipv6.conf.all.disable_ipv6 is 1' : null;
}

/** Why new links have none as long as it is not asked for; null where they have. */
export function ipv6Unasked(files: HostFiles = KERNEL_FILES): string | null {
  return ipv6Problem(files) ?? (isOff(files, 'default') ? 'net.ipv6.conf.default.disable_ipv6 is 1' : null);
}
