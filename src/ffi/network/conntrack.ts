/** The kernel's table of connections. Layouts and constants: linux/netfilter/nfnetlink_conntrack.h. */
import { constants } from 'node:os';
import type { Family } from '../../model/addresses.ts';
import { TsdError, toTsdError } from '../../model/errors/errors.ts';
import { addressAt, FAMILY_OF } from './address-bytes.ts';
import { attribute, eachAttribute, NETLINK_NETFILTER, NetlinkSocket, NLM_F_DUMP, nested } from './netlink.ts';

const CTNETLINK = 1 << 8;
const CT_GET = CTNETLINK | 1;
const CT_DELETE = CTNETLINK | 2;
const CT_GET_STATS = CTNETLINK | 5;

const IPPROTO_UDP = 17;
/** struct nfgenmsg. */
const headerOf = (family: Family): Buffer => Buffer.from([FAMILY_OF[family], 0, 0, 0]);
const HEADER_BYTES = 4;

const CTA = { TUPLE_ORIG: 1, TUPLE_REPLY: 2, ID: 12, ZONE: 18, FILTER: 25 } as const;
const CTA_TUPLE = { IP: 1, PROTO: 2 } as const;
/** CTA_IP_V4_SRC and the others. */
const ADDRESSES = { ipv4: { source: 1, destination: 2 }, ipv6: { source: 3, destination: 4 } } as const;
const CTA_PROTO = { NUM: 1, SRC_PORT: 2, DST_PORT: 3 } as const;
const CTA_FILTER_ORIG_FLAGS = 1;
const FILTER_PROTO_NUM = 1 << 3;
const FILTER_PROTO_DST_PORT = 1 << 5;

/** Deletions in one call: their answers fit in the socket's buffer. */
const BATCH = 128;

export interface Place {
  readonly address: string;
  readonly port: number;
}

/** Datagrams between two addresses; translated if the answering address is not the destination. */
export interface UdpFlow {
  readonly family: Family;
  readonly sentTo: Place;
  readonly answeredBy: Place;
  /** The attributes that name it to the kernel. */
  readonly key: Buffer;
}

const u16be = (value: number): Buffer => Buffer.from([value >> 8, value & 0xff]);

interface CtFamily {
  /** AF_INET, AF_INET6. */
  readonly number: number;
  readonly types: (typeof ADDRESSES)[Family];
}

interface Span {
  readonly from: number;
  readonly to: number;
}

/** The position of an attribute: there can be a hundred thousand flows, so irrelevant ones create no objects. */
function find(bytes: Buffer, { from, to }: Span, wanted: number): Span | null {
  let found: Span | null = null;
  eachAttribute(bytes, from, to, (type, start, end) => {
    if (type === wanted) found = { from: start, to: end };
  });
  return found;
}

function findDeep(bytes: Buffer, within: Span, ...path: readonly number[]): Span | null {
  let span: Span | null = within;
  for (const type of path) span = span && find(bytes, span, type);
  return span;
}

function portAt(bytes: Buffer, tuple: Span, type: number): number | null {
  const span = findDeep(bytes, tuple, CTA_TUPLE.PROTO, type);
  return span && bytes.readUInt16BE(span.from);
}

function addressIn(
  bytes: Buffer,
  tuple: Span,
  { number, types }: CtFamily,
  end: 'source' | 'destination',
): string | null {
  const span = findDeep(bytes, tuple, CTA_TUPLE.IP, types[end]);
  return span && addressAt(bytes, span.from, number);
}

/** What a message of a dump says, when it is about UDP to one of the ports. */
function flowOf(body: Buffer, ports: ReadonlySet<number>, family: Family): UdpFlow | null {
  const whole = { from: HEADER_BYTES, to: body.length };
  const original = find(body, whole, CTA.TUPLE_ORIG);
  if (original === null) return null;
  const port = portAt(body, original, CTA_PROTO.DST_PORT);
  if (port === null || !ports.has(port)) return null;
  const protocol = findDeep(body, original, CTA_TUPLE.PROTO, CTA_PROTO.NUM);
  const reply = find(body, whole, CTA.TUPLE_REPLY);
  if (protocol === null || body[protocol.from] !== IPPROTO_UDP || reply === null) return null;
  const ct = { number: FAMILY_OF[family], types: ADDRESSES[family] };
  const [to, by] = [addressIn(body, original, ct, 'destination'), addressIn(body, reply, ct, 'source')];
  const answering = portAt(body, reply, CTA_PROTO.SRC_PORT);
  if (to === null || by === null || answering === null) return null;
  const key = [CTA.ID, CTA.ZONE].flatMap((type) => {
    const span = find(body, whole, type);
    return span === null ? [] : [attribute(type, body.subarray(span.from, span.to))];
  });
  return {
    family,
    sentTo: { address: to, port },
    answeredBy: { address: by, port: answering },
    key: Buffer.concat([nested(CTA.TUPLE_ORIG, body.subarray(original.from, original.to)), ...key]),
  };
}

/** Connections of the network namespace it was opened in. */
export class Conntrack {
  readonly #socket: NetlinkSocket;

  /** @throws TsdError TSD_UNSUPPORTED_HOST when the kernel does not show its table. */
  constructor() {
    this.#socket = new NetlinkSocket(NETLINK_NETFILTER);
    try {
      this.#socket.query({ step: 'ask for connections', type: CT_GET_STATS, flags: 0, body: headerOf('ipv4') });
    } catch (cause) {
      this.close();
      const message = `the kernel does not show its connections: ${toTsdError(cause).message}`;
      throw new TsdError('TSD_UNSUPPORTED_HOST', message, { hint: 'modprobe nf_conntrack_netlink', cause });
    }
  }

  /**
   * What was sent by UDP to these ports, wherever they were. The kernel walks its whole table for it, some ten
   * milliseconds; kernels before 5.8 show all there is, which is sorted out here.
   */
  udpFlowsTo(ports: ReadonlySet<number>, family: Family): UdpFlow[] {
    const [only] = ports.size === 1 ? ports : [];
    const proto = [attribute(CTA_PROTO.NUM, Buffer.from([IPPROTO_UDP]))];
    if (only !== undefined) proto.push(attribute(CTA_PROTO.DST_PORT, u16be(only)));
    const flags = FILTER_PROTO_NUM | (only === undefined ? 0 : FILTER_PROTO_DST_PORT);
    const body = Buffer.concat([
      headerOf(family),
      nested(CTA.TUPLE_ORIG, nested(CTA_TUPLE.PROTO, ...proto)),
      nested(CTA.FILTER, attribute(CTA_FILTER_ORIG_FLAGS, flags)),
    ]);
    const bodies = this.#socket.query({ step: 'list UDP connections', type: CT_GET, flags: NLM_F_DUMP, body });
    return bodies.flatMap((each) => flowOf(each, ports, family) ?? []);
  }

  /** Forgets flows: the next datagram is judged again. One that is gone already is no error. */
  forget(flows: readonly UdpFlow[]): void {
    for (let at = 0; at < flows.length; at += BATCH) {
      const messages = flows.slice(at, at + BATCH).map(({ family, sentTo, key }) => ({
        step: `forget UDP to port ${sentTo.port}`,
        type: CT_DELETE,
        flags: 0,
        body: Buffer.concat([headerOf(family), key]),
      }));
      try {
        this.#socket.request(messages);
      } catch (error) {
        if (!(error instanceof TsdError) || error.errno !== constants.errno.ENOENT) throw error;
      }
    }
  }

  close(): void {
    this.#socket.close();
  }
}
