import { readForwarding } from '../../../ffi/host/sysinfo.ts';
import { Conntrack } from '../../../ffi/network/conntrack.ts';
import { Nftables } from '../../../ffi/network/nftables.ts';
import { tracksSctp } from '../../../ffi/network/tracked-protocols.ts';
import { describeError, toTsdError } from '../../../model/errors/errors.ts';
import { append } from '../../../model/lists.ts';
import type { Fingerprint } from '../../contract/driver.ts';
import { foreignDrops } from './firewall/foreign-drops.ts';
import type { Names } from './names.ts';

type Problem = Fingerprint['problems'][number];

/** What this host allows, without changing anything. */
export function fingerprintBridge(
  options: { readonly iptables: boolean; readonly ipForward: boolean },
  names: Names,
  shieldProblem: string | null,
): Fingerprint {
  const problems: Problem[] = [];
  const attributes: Record<string, string> = {};
  if (process.geteuid?.() !== 0) problems.push({ what: 'networks need root', fix: 'Run the supervisor as root.' });
  attributes['packet filter'] = options.iptables ? 'nftables' : 'off';
  if (options.iptables) {
    append(problems, packetFilter(names, attributes));
    const udp = udpProblem();
    if (udp !== null) attributes['UDP ports'] = udp;
    if (tracksSctp() === false) attributes['SCTP ports'] = 'cannot be published: this kernel does not translate SCTP';
  }
  attributes['published ports'] = options.iptables
    ? 'by the kernel, in the families a container has; ::1 by a relay'
    : 'by relays';
  attributes["the host's 127.0.0.0/8"] =
    shieldProblem === null
      ? 'closed to containers, also while our rules are missing'
      : `closed to containers by our rules only: ${shieldProblem}`;
  const { ipv4 } = readForwarding();
  attributes.forwarding =
    ipv4 === null ? 'unknown' : ipv4 ? 'on' : options.ipForward ? 'off' : 'off and left so (--ip-forward=false)';
  return { works: problems.length === 0, problems, attributes };
}

const NO_IPTABLES =
  'There is no back end for iptables: each change here is one transaction on sets and maps, which iptables has not, and a ' +
  'kernel without nf_tables has had no iptables-nft either.';

/** Why no UDP port can be published; null when it can. */
function udpProblem(): string | null {
  try {
    new Conntrack().close();
    return null;
  } catch (error) {
    return `cannot be published: ${describeError(toTsdError(error))}`;
  }
}

/** Tries libnftables and the kernel's nf_tables; notes what other firewalls may drop. */
function packetFilter(names: Names, attributes: Record<string, string>): Problem[] {
  try {
    const nft = new Nftables();
    try {
      const drops = foreignDrops((step, commands) => nft.run(step, commands), names);
      if (drops.length > 0) attributes['other firewalls'] = drops.join('; ');
      return [];
    } finally {
      nft.close();
    }
  } catch (error) {
    const problem = toTsdError(error);
    const fix =
      problem.code === 'TSD_UNSUPPORTED_HOST'
        ? `Install libnftables1, or start with --iptables=false. ${NO_IPTABLES}`
        : `Check that the kernel has nf_tables (modprobe nf_tables), or start with --iptables=false. ${NO_IPTABLES}`;
    return [{ what: describeError(problem), fix }];
  }
}
