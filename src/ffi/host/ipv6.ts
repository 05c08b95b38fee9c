import { type HostFiles, KERNEL_FILES } from './host-files.ts';

/** There unless the kernel is without IPv6, or was started with ipv6.disable=1. */
const ADDRESSES = '/proc/net/if_inet6';
const DISABLED = '/proc/sys/net/ipv6/conf/all/disable_ipv6';

/** Why links of the network namespace that this thread is in have no IPv6; null where they have. */
export function ipv6Problem(files: HostFiles = KERNEL_FILES): string | null {
  if (files.text(ADDRESSES) === null) return 'this kernel has no IPv6';
  return files.text(DISABLED)?.trim() === '1' ? 'net.ipv6.conf.all.disable_ipv6 is 1' : null;
}
