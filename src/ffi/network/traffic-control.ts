/**
 * What the kernel does with packets that leave a link or come in at it: queueing disciplines and filters; tc(8). Layouts and
 * constants: linux/rtnetlink.h, linux/pkt_sched.h, net/sched/sch_tbf.c.
 */
import { constants } from 'node:os';
import { TsdError } from '../../model/errors/errors.ts';
import {
  attribute,
  type NetlinkMessage,
  type NetlinkSocket,
  NLM_F_CREATE,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  nested,
  parseAttributes,
} from './netlink.ts';

const [RTM_NEWQDISC, RTM_DELQDISC, RTM_GETQDISC] = [36, 37, 38] as const;
const [RTM_NEWTFILTER, RTM_GETTFILTER] = [44, 46] as const;
const TCA = { KIND: 1, OPTIONS: 2 } as const;
const TCA_BPF = { FD: 6, NAME: 7, FLAGS: 8 } as const;
const TCA_BPF_FLAG_ACT_DIRECT = 1;
const TCA_TBF = { PARMS: 1, RATE64: 4, BURST: 6 } as const;
const TC_LINKLAYER_ETHERNET = 1;

const TC_H_ROOT = 0xffffffff;
const TC_H_CLSACT = 0xfffffff1;
const PROGRAM_PLACES = { ingress: 0xfffffff2, egress: 0xfffffff3 } as const;
/** Of the priorities of filters. */
const FIRST = 1;
const CLSACT_HANDLE = 0xffff0000;
/** `7464:` of tc(8): what has it is ours. */
const SHAPER_HANDLE = 0x7464_0000;

/** linux/if_ether.h: every packet, also one with a tag, which the kernel has taken off by then. */
export const ETH_P_ALL = 0x0003;
export const ETH_P_IP = 0x0800;
const TCMSG_BYTES = 20;
/** struct tc_tbf_qopt: two rates of 12 bytes, limit, buffer, mtu. */
const TBF_BYTES = 36;
const TBF_LIMIT_AT = 24;
/** Of struct tc_ratespec. */
const [LINKLAYER_AT, RATE_AT] = [1, 8] as const;

function tcmsg(link: number, handle: number, parent: number, info = 0): Buffer {
  const out = Buffer.alloc(TCMSG_BYTES);
  out.writeInt32LE(link, 4);
  out.writeUInt32LE(handle, 8);
  out.writeUInt32LE(parent, 12);
  out.writeUInt32LE(info, 16);
  return out;
}

/** What a link lets out: a token bucket. */
export interface Shape {
  /** Bytes a second. */
  readonly rate: number;
  /** Bytes at once. */
  readonly burst: number;
  /** Bytes that wait; what comes on top is dropped. */
  readonly queue: number;
}

/** Limits what leaves a link; a second time changes it and drops nothing that waits. */
export function newShaper(link: number, { rate, burst, queue }: Shape): NetlinkMessage {
  const parameters = Buffer.alloc(TBF_BYTES);
  parameters.writeUInt8(TC_LINKLAYER_ETHERNET, LINKLAYER_AT);
  parameters.writeUInt32LE(Math.min(rate, 0xffffffff), RATE_AT);
  parameters.writeUInt32LE(queue, TBF_LIMIT_AT);
  const large = Buffer.alloc(8);
  large.writeBigUInt64LE(BigInt(rate));
  const options = [
    attribute(TCA_TBF.PARMS, parameters),
    attribute(TCA_TBF.BURST, burst),
    ...(rate > 0xffffffff ? [attribute(TCA_TBF.RATE64, large)] : []),
  ];
  return {
    step: `limit what leaves link ${link}`,
    type: RTM_NEWQDISC,
    flags: NLM_F_CREATE | NLM_F_REPLACE,
    body: Buffer.concat([
      tcmsg(link, SHAPER_HANDLE, TC_H_ROOT),
      attribute(TCA.KIND, 'tbf'),
      nested(TCA.OPTIONS, ...options),
    ]),
  };
}

/** Takes the limit of {@link newShaper} away. ENOENT when there is none. */
export function deleteShaper(link: number): NetlinkMessage {
  const body = tcmsg(link, SHAPER_HANDLE, TC_H_ROOT);
  return { step: `end the limit of link ${link}`, type: RTM_DELQDISC, flags: 0, body };
}

/** What is in the way of packets at a link, as far as it is of a form that we make. */
export type FoundDiscipline =
  | { readonly link: number; readonly kind: 'shaper'; readonly rate: number; readonly queue: number }
  | { readonly link: number; readonly kind: 'ingress' };

/** Limits of {@link newShaper} and places of {@link makeProgramPlace}, of all links. */
export function listDisciplines(socket: NetlinkSocket): FoundDiscipline[] {
  const message = { step: 'list limits of links', type: RTM_GETQDISC, flags: NLM_F_DUMP, body: tcmsg(0, 0, 0) };
  return socket
    .dump(message, (bytes, start, end) => readDiscipline(bytes.subarray(start, end)))
    .filter((found) => found !== null);
}

const textOf = (bytes: Buffer | undefined): string => bytes?.toString('utf8').replace(/\0$/, '') ?? '';

function readDiscipline(body: Buffer): FoundDiscipline | null {
  const link = body.readInt32LE(4);
  const handle = body.readUInt32LE(8);
  if (handle !== SHAPER_HANDLE && handle !== CLSACT_HANDLE) return null;
  const attributes = parseAttributes(body, TCMSG_BYTES);
  const kind = textOf(attributes.get(TCA.KIND));
  if (kind === 'clsact') return { link, kind: 'ingress' };
  const options = kind === 'tbf' ? parseAttributes(attributes.get(TCA.OPTIONS) ?? Buffer.alloc(0), 0) : null;
  const parameters = options?.get(TCA_TBF.PARMS);
  if (!parameters || body.readUInt32LE(12) !== TC_H_ROOT) return null;
  const large = options?.get(TCA_TBF.RATE64);
  const rate = large ? Number(large.readBigUInt64LE(0)) : parameters.readUInt32LE(RATE_AT);
  return { link, kind: 'shaper', rate, queue: parameters.readUInt32LE(TBF_LIMIT_AT) };
}

/** Makes a place for programs that packets of a link pass, unless there is one. */
export function makeProgramPlace(socket: NetlinkSocket, link: number): void {
  const body = Buffer.concat([tcmsg(link, CLSACT_HANDLE, TC_H_CLSACT), attribute(TCA.KIND, 'clsact')]);
  try {
    const flags = NLM_F_CREATE | NLM_F_EXCL;
    socket.request([{ step: `make a place for programs of link ${link}`, type: RTM_NEWQDISC, flags, body }]);
  } catch (error) {
    if (!(error instanceof TsdError) || error.errno !== constants.errno.EEXIST) throw error;
  }
}

export interface PacketProgram {
  readonly link: number;
  /** Whether it sees what comes in at the link, or what leaves it. */
  readonly direction: keyof typeof PROGRAM_PLACES;
  /** ETH_P_ of the packets that it sees. */
  readonly protocol: number;
  /** Descriptor of the loaded program. */
  readonly program: number;
  /** For a person. */
  readonly name: string;
}

/** Packets of a link pass a program first, before what others put there. A second time replaces it. */
export function newProgram({ link, direction, protocol, program, name }: PacketProgram): NetlinkMessage {
  const options = [
    attribute(TCA_BPF.FD, program),
    attribute(TCA_BPF.NAME, name),
    attribute(TCA_BPF.FLAGS, TCA_BPF_FLAG_ACT_DIRECT),
  ];
  const inNetworkOrder = ((protocol & 0xff) << 8) | (protocol >>> 8);
  const body = Buffer.concat([
    tcmsg(link, 1, PROGRAM_PLACES[direction], ((FIRST << 16) | inNetworkOrder) >>> 0),
    attribute(TCA.KIND, 'bpf'),
    nested(TCA.OPTIONS, ...options),
  ]);
  return { step: `put program ${name} at link ${link}`, type: RTM_NEWTFILTER, flags: NLM_F_CREATE, body };
}

/** Names of the programs that what comes in at a link passes. */
export function ingressFilters(socket: NetlinkSocket, link: number): string[] {
  const body = tcmsg(link, 0, PROGRAM_PLACES.ingress);
  const message = { step: `list filters of link ${link}`, type: RTM_GETTFILTER, flags: NLM_F_DUMP, body };
  return socket.query(message).flatMap((answer) => {
    const options = parseAttributes(answer, TCMSG_BYTES).get(TCA.OPTIONS);
    const name = options && parseAttributes(options, 0).get(TCA_BPF.NAME);
    return name ? [textOf(name)] : [];
  });
}
