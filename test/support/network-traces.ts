/**
 * What a supervisor can leave in the host's network besides its interfaces and rules: addresses, routes, neighbours and
 * connections of its subnets, and its marks in the rules of others.
 */
import { execFileSync } from 'node:child_process';
import { addressAt, FAMILY_OF } from '../../src/ffi/network/address-bytes.ts';
import { eachAttribute, NETLINK_NETFILTER, NetlinkSocket, NLM_F_DUMP } from '../../src/ffi/network/netlink.ts';
import { containsAddress, familyOf } from '../../src/model/addresses.ts';

/** linux/netfilter/nfnetlink_conntrack.h */
const IPCTNL_MSG_CT_GET = (1 << 8) | 1;
const CTA = { TUPLE_ORIG: 1, TUPLE_REPLY: 2, TIMEOUT: 7 } as const;
const CTA_TUPLE = { IP: 1, PROTO: 2 } as const;
const CTA_PROTO_NUM = 1;
/** Others have no ends: the kernel forgets them with time alone. */
const WITH_PORTS = [6, 17, 132];
/** nf_conntrack_tcp_timeout_time_wait: what ended is remembered for so long. */
const ENDED_S = 120;

interface Flow {
  readonly protocol: number;
  readonly addresses: readonly string[];
  readonly leftS: number;
}

function flowOf(body: Buffer, family: number): Flow {
  const addresses: string[] = [];
  let [leftS, protocol] = [0, 0];
  eachAttribute(body, 4, body.length, (type, from, to) => {
    if (type === CTA.TIMEOUT) leftS = body.readUInt32BE(from);
    if (type !== CTA.TUPLE_ORIG && type !== CTA.TUPLE_REPLY) return;
    eachAttribute(body, from, to, (part, start, end) => {
      eachAttribute(body, start, end, (attribute, at) => {
        if (part === CTA_TUPLE.IP) addresses.push(addressAt(body, at, family) ?? '');
        if (part === CTA_TUPLE.PROTO && attribute === CTA_PROTO_NUM) protocol = body[at] ?? 0;
      });
    });
  });
  return { protocol, addresses, leftS };
}

function flows(): Flow[] {
  const socket = new NetlinkSocket(NETLINK_NETFILTER);
  try {
    return Object.values(FAMILY_OF).flatMap((family) => {
      const body = Buffer.from([family, 0, 0, 0]);
      const found = socket.query({ step: 'list connections', type: IPCTNL_MSG_CT_GET, flags: NLM_F_DUMP, body });
      return found.map((each) => flowOf(each, family));
    });
  } finally {
    socket.close();
  }
}

const linesOf = (program: string, ...args: string[]): string[] =>
  execFileSync(program, args, { encoding: 'utf8', maxBuffer: 64 * 1024 ** 2 })
    .split('\n')
    .map((line) => line.trim().replaceAll(/\s+/g, ' '))
    .filter((line) => line !== '');

const ADDRESS = /(?<![\w.:])(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4}(?::[0-9a-f]{0,4}){2,7})(?![\w.:])/g;

/** @param subnets all that no other test has. */
export function networkTraces(instance: string, subnets: readonly string[]): string[] {
  const isOurs = (address: string): boolean =>
    subnets.some(
      (subnet) => familyOf(address) === familyOf(subnet.split('/')[0] ?? '') && containsAddress(subnet, address),
    );
  const ofOurs = (line: string): boolean => (line.match(ADDRESS) ?? []).some(isOurs);
  const listed = [
    linesOf('ip', '-o', 'addr', 'show'),
    ...['-4', '-6'].flatMap((family) => [
      linesOf('ip', family, 'route', 'show', 'table', 'all'),
      linesOf('ip', family, 'rule', 'show'),
      linesOf('ip', family, 'neigh', 'show'),
    ]),
  ].flat();
  const marks = linesOf('nft', 'list', 'ruleset').filter((line) => line.includes(`tsd:${instance}:`));
  const open = flows()
    .filter(
      ({ protocol, leftS, addresses }) => WITH_PORTS.includes(protocol) && leftS > ENDED_S && addresses.some(isOurs),
    )
    .map(
      ({ protocol, addresses, leftS }) =>
        `connection of protocol ${protocol} ${[...new Set(addresses)].join(' ')}, forgotten in ${leftS} s`,
    );
  return [...listed.filter(ofOurs), ...marks, ...open];
}
