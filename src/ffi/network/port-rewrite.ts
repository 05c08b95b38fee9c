/**
 * A program on the loopback interface of a network namespace that lets a server answer at a port which it does not occupy:
 * what goes to `address:port` arrives at `address:served`, and the answers leave from `port`. The kernel tracks no connection
 * for it, and only packets of that address are touched. bpf(2), tc-bpf(8); linux/bpf.h, linux/pkt_sched.h, linux/pkt_cls.h.
 */
import { instruction, loadPacketProgram } from '../bpf.ts';
import { addressBytes } from './address-bytes.ts';
import type { NetlinkSocket } from './netlink.ts';
import { ETH_P_IP, makeProgramPlace, newProgram } from './traffic-control.ts';

export interface RewrittenPort {
  /** IPv4, of the loopback network. */
  readonly address: string;
  readonly port: number;
  readonly served: number;
}

/** Instruction classes as in include/uapi/linux/bpf.h, combined: BPF_LDX|BPF_W|BPF_MEM and so on. */
const OP = {
  loadWord: 0x61,
  loadHalf: 0x69,
  loadByte: 0x71,
  storeHalfImmediate: 0x6a,
  addImmediate: 0x07,
  andImmediate: 0x57,
  move: 0xbf,
  set: 0xb7,
  jump: 0x05,
  jumpIfEqual: 0x15,
  jumpUnlessEqual: 0x55,
  jumpIfGreater: 0x2d,
  call: 0x85,
  exit: 0x95,
} as const;
/** Registers. */
const R = {
  result: 0,
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  context: 6,
  offset: 7,
  checksum: 8,
  data: 9,
  stack: 10,
};
const SKB_STORE_BYTES = 9;
const L4_CSUM_REPLACE = 11;
/** A field of two bytes; BPF_F_MARK_MANGLED_0 leaves a UDP packet without checksum so. */
const CHECKSUM_OF_TWO = 2 | 0x20;
/** What else is on the interface decides (TC_ACT_UNSPEC). */
const NEXT = -1;

/** struct __sk_buff */
const SKB = { data: 76, dataEnd: 80 } as const;
/** Offsets in a frame with an IPv4 header without options. */
const ETHERNET = 14;
const IP = {
  versionAndLength: ETHERNET,
  fragment: ETHERNET + 6,
  protocol: ETHERNET + 9,
  source: ETHERNET + 12,
  destination: ETHERNET + 16,
};
const L4 = ETHERNET + 20;
const ICMP_CHECKSUM = L4 + 2;
/** Destination port of the packet that an ICMP error is about. */
const QUOTED_PORT = L4 + 8 + 20 + 2;
const PROTOCOL = { icmp: 1, tcp: 6, udp: 17 } as const;
const CHECKSUM_OF = { tcp: L4 + 16, udp: L4 + 6 } as const;

type Line =
  | readonly [label: string]
  | {
      readonly op: number;
      readonly to?: number;
      readonly from?: number;
      readonly at?: number | string;
      readonly value?: number;
    };

const inNetworkOrder = (port: number): number => ((port & 0xff) << 8) | (port >>> 8);

/** Puts a port in place of another one in a field of the packet, and corrects the checksum: offsets in their registers. */
function exchange(before: number, after: number): Line[] {
  return [
    { op: OP.storeHalfImmediate, to: R.stack, at: -2, value: inNetworkOrder(after) },
    { op: OP.move, to: R.one, from: R.context },
    { op: OP.move, to: R.two, from: R.offset },
    { op: OP.move, to: R.three, from: R.stack },
    { op: OP.addImmediate, to: R.three, value: -2 },
    { op: OP.set, to: R.four, value: 2 },
    { op: OP.set, to: R.five, value: 0 },
    { op: OP.call, value: SKB_STORE_BYTES },
    { op: OP.move, to: R.one, from: R.context },
    { op: OP.move, to: R.two, from: R.checksum },
    { op: OP.set, to: R.three, value: inNetworkOrder(before) },
    { op: OP.set, to: R.four, value: inNetworkOrder(after) },
    { op: OP.set, to: R.five, value: CHECKSUM_OF_TWO },
    { op: OP.call, value: L4_CSUM_REPLACE },
    { op: OP.jump, at: 'out' },
  ];
}

function lines({ address, port, served }: RewrittenPort): Line[] {
  const ip = addressBytes(address).readInt32LE(0);
  /** Leaves the program for a packet that is shorter. */
  const holds = (bytes: number): Line[] => [
    { op: OP.move, to: R.four, from: R.data },
    { op: OP.addImmediate, to: R.four, value: bytes },
    { op: OP.jumpIfGreater, to: R.four, from: R.three, at: 'out' },
  ];
  return [
    { op: OP.move, to: R.context, from: R.one },
    { op: OP.loadWord, to: R.data, from: R.context, at: SKB.data },
    { op: OP.loadWord, to: R.three, from: R.context, at: SKB.dataEnd },
    ...holds(L4 + 4),
    { op: OP.loadHalf, to: R.five, from: R.data, at: ETHERNET - 2 },
    { op: OP.jumpUnlessEqual, to: R.five, at: 'out', value: inNetworkOrder(ETH_P_IP) },
    { op: OP.loadByte, to: R.five, from: R.data, at: IP.versionAndLength },
    { op: OP.jumpUnlessEqual, to: R.five, at: 'out', value: 0x45 },
    { op: OP.loadHalf, to: R.five, from: R.data, at: IP.fragment },
    { op: OP.andImmediate, to: R.five, value: inNetworkOrder(0x1fff) },
    { op: OP.jumpUnlessEqual, to: R.five, at: 'out', value: 0 },
    { op: OP.loadByte, to: R.five, from: R.data, at: IP.protocol },
    { op: OP.set, to: R.checksum, value: CHECKSUM_OF.udp },
    { op: OP.jumpIfEqual, to: R.five, at: 'ports', value: PROTOCOL.udp },
    { op: OP.set, to: R.checksum, value: CHECKSUM_OF.tcp },
    { op: OP.jumpIfEqual, to: R.five, at: 'ports', value: PROTOCOL.tcp },
    { op: OP.jumpUnlessEqual, to: R.five, at: 'out', value: PROTOCOL.icmp },
    // That nothing listens there is said of the port that was asked.
    { op: OP.loadWord, to: R.five, from: R.data, at: IP.source },
    { op: OP.jumpUnlessEqual, to: R.five, at: 'out', value: ip },
    ...holds(QUOTED_PORT + 2),
    { op: OP.loadHalf, to: R.five, from: R.data, at: QUOTED_PORT },
    { op: OP.jumpUnlessEqual, to: R.five, at: 'out', value: inNetworkOrder(served) },
    { op: OP.set, to: R.offset, value: QUOTED_PORT },
    { op: OP.set, to: R.checksum, value: ICMP_CHECKSUM },
    { op: OP.jump, at: 'answer' },
    ['ports'],
    { op: OP.loadWord, to: R.five, from: R.data, at: IP.destination },
    { op: OP.jumpUnlessEqual, to: R.five, at: 'source', value: ip },
    { op: OP.loadHalf, to: R.five, from: R.data, at: L4 + 2 },
    { op: OP.jumpUnlessEqual, to: R.five, at: 'source', value: inNetworkOrder(port) },
    { op: OP.set, to: R.offset, value: L4 + 2 },
    ...exchange(port, served),
    ['source'],
    { op: OP.loadWord, to: R.five, from: R.data, at: IP.source },
    { op: OP.jumpUnlessEqual, to: R.five, at: 'out', value: ip },
    { op: OP.loadHalf, to: R.five, from: R.data, at: L4 },
    { op: OP.jumpUnlessEqual, to: R.five, at: 'out', value: inNetworkOrder(served) },
    { op: OP.set, to: R.offset, value: L4 },
    ['answer'],
    ...exchange(served, port),
    ['out'],
    { op: OP.set, to: R.result, value: NEXT },
    { op: OP.exit },
  ];
}

function assemble(program: readonly Line[]): Buffer {
  const places = new Map<string, number>();
  const instructions = program.filter((line): line is Exclude<Line, readonly [string]> => !Array.isArray(line));
  let count = 0;
  for (const line of program) {
    if (Array.isArray(line)) places.set(line[0], count);
    else count++;
  }
  const encoded = instructions.map(({ op, to = 0, from = 0, at = 0, value = 0 }, index) => {
    const offset = typeof at === 'number' ? at : (places.get(at) ?? 0) - index - 1;
    return instruction(op, to | (from << 4), offset, value);
  });
  return Buffer.concat(encoded);
}

/** Loads the program. @returns its close-on-exec descriptor. @throws TsdError with errno. */
export function loadPortRewrite(rewritten: RewrittenPort): number {
  return loadPacketProgram(assemble(lines(rewritten)), 'load the program that rewrites a port');
}

/** Where loopback is in every namespace. */
const LOOPBACK = 1;

/** Puts the program on loopback of a namespace, in place of an earlier one, before what a payload puts there. */
export function rewriteOnLoopback(socket: NetlinkSocket, program: number): void {
  makeProgramPlace(socket, LOOPBACK);
  const name = 'tsdocker-names';
  socket.request([newProgram({ link: LOOPBACK, direction: 'egress', protocol: ETH_P_IP, program, name })]);
}
