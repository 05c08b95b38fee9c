/** A filter of what comes in at a link. Layouts and constants: linux/rtnetlink.h, linux/pkt_sched.h, linux/pkt_cls.h; tc-bpf(8). */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { TsdError } from '../../model/errors/errors.ts';
import { loadPacketProgram } from '../bpf.ts';
import { attribute, type NetlinkSocket, NLM_F_CREATE, NLM_F_EXCL, nested } from './netlink.ts';

const RTM_NEWQDISC = 36;
const RTM_NEWTFILTER = 44;
const TCA = { KIND: 1, OPTIONS: 2 } as const;
const TCA_BPF = { FD: 6, NAME: 7, FLAGS: 8 } as const;
const TCA_BPF_FLAG_ACT_DIRECT = 1;
const TC_H_CLSACT = 0xfffffff1;
const TC_H_CLSACT_INGRESS = 0xfffffff2;
const CLSACT_HANDLE = 0xffff0000;

const ETH_P_IP = 0x0800;
/** linux/if_ether.h: every packet, also one with a tag, which the kernel has taken off by then. */
const ETH_P_ALL = 0x0003;
const TAGS = [0x8100, 0x88a8] as const;
const ETHERNET_TYPE = 12;
const ETHERNET_BYTES = 14;
const IPV4_SOURCE = ETHERNET_BYTES + 12;
const IPV4_DESTINATION = ETHERNET_BYTES + 16;

/** struct tcmsg. */
function tcmsg(link: number, handle: number, parent: number, info: number): Buffer {
  const out = Buffer.alloc(20);
  out.writeInt32LE(link, 4);
  out.writeUInt32LE(handle, 8);
  out.writeUInt32LE(parent, 12);
  out.writeUInt32LE(info, 16);
  return out;
}

/** struct bpf_insn. */
function instruction(code: number, registers: number, offset: number, immediate: number): Buffer {
  const out = Buffer.alloc(8);
  out.writeUInt8(code, 0);
  out.writeUInt8(registers, 1);
  out.writeInt16LE(offset, 2);
  out.writeInt32LE(immediate, 4);
  return out;
}

const TC_ACT_UNSPEC = -1;
const TC_ACT_SHOT = 2;
/**
 * BPF_ALU64 | BPF_MOV with a register and a number, BPF_LD | BPF_ABS with BPF_B and BPF_H, BPF_JMP with BPF_JEQ and BPF_JNE and
 * a number, BPF_EXIT.
 */
const [MOVE, SET, LOAD_BYTE, LOAD_HALF, JUMP_IF, JUMP_UNLESS, EXIT] = [
  0xbf, 0xb7, 0x30, 0x28, 0x15, 0x55, 0x95,
] as const;

/**
 * Drops IPv4 packets from or to 127/8, and what has a tag inside a tag: the kernel would take that off later. Others go on.
 * Register 6 is what LOAD_BYTE and LOAD_HALF read from.
 */
const WITHOUT_LOOPBACK = Buffer.concat([
  instruction(MOVE, 0x16, 0, 0),
  instruction(LOAD_HALF, 0, 0, ETHERNET_TYPE),
  instruction(JUMP_IF, 0, 8, TAGS[0]),
  instruction(JUMP_IF, 0, 7, TAGS[1]),
  instruction(JUMP_UNLESS, 0, 4, ETH_P_IP),
  instruction(LOAD_BYTE, 0, 0, IPV4_DESTINATION),
  instruction(JUMP_IF, 0, 4, 127),
  instruction(LOAD_BYTE, 0, 0, IPV4_SOURCE),
  instruction(JUMP_IF, 0, 2, 127),
  instruction(SET, 0, 0, TC_ACT_UNSPEC),
  instruction(EXIT, 0, 0, 0),
  instruction(SET, 0, 0, TC_ACT_SHOT),
  instruction(EXIT, 0, 0, 0),
]);

/** The program that drops 127/8, once for all links. The kernel keeps it as long as a link has it. */
export class LoopbackFilter {
  readonly #program: number;

  /** @throws TsdError for a kernel that takes no such programs. */
  constructor() {
    this.#program = loadPacketProgram(WITHOUT_LOOPBACK);
  }

  /**
   * From now on nothing from or to 127/8 comes in at a link, whatever other filters say. A second time replaces it.
   * @param name of the filter, for a person. @throws TsdError
   */
  put(socket: NetlinkSocket, link: number, name: string): void {
    makeIngress(socket, link);
    const options = [
      attribute(TCA_BPF.FD, this.#program),
      attribute(TCA_BPF.NAME, name),
      attribute(TCA_BPF.FLAGS, TCA_BPF_FLAG_ACT_DIRECT),
    ];
    const protocol = ((ETH_P_ALL & 0xff) << 8) | (ETH_P_ALL >> 8);
    const body = Buffer.concat([
      tcmsg(link, 1, TC_H_CLSACT_INGRESS, (1 << 16) | protocol),
      attribute(TCA.KIND, 'bpf'),
      nested(TCA.OPTIONS, ...options),
    ]);
    socket.request([{ step: `filter link ${link}`, type: RTM_NEWTFILTER, flags: NLM_F_CREATE, body }]);
  }

  close(): void {
    closeSync(this.#program);
  }
}

function makeIngress(socket: NetlinkSocket, link: number): void {
  const body = Buffer.concat([tcmsg(link, CLSACT_HANDLE, TC_H_CLSACT, 0), attribute(TCA.KIND, 'clsact')]);
  try {
    const flags = NLM_F_CREATE | NLM_F_EXCL;
    socket.request([{ step: `make a place for filters of link ${link}`, type: RTM_NEWQDISC, flags, body }]);
  } catch (error) {
    if (!(error instanceof TsdError) || error.errno !== constants.errno.EEXIST) throw error;
  }
}
