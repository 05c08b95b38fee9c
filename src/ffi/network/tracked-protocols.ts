/** Protocols whose connections the kernel knows, and can translate: nf_conntrack-sysctl of the kernel's documentation. */
import { existsSync } from 'node:fs';

const SETTINGS = '/proc/sys/net/netfilter';

/** Whether ports of SCTP can be translated (CONFIG_NF_CT_PROTO_SCTP); null as long as the kernel tracks no connections. */
export function tracksSctp(): boolean | null {
  if (!existsSync(`${SETTINGS}/nf_conntrack_max`)) return null;
  return existsSync(`${SETTINGS}/nf_conntrack_sctp_timeout_established`);
}
