/** A program that drops what comes in at a link and is from or to 127/8. Layouts and constants: linux/pkt_cls.h; tc-bpf(8). */
import { closeSync } from 'node:fs';
import { instruction, loadPacketProgram } from '../bpf.ts';
import type { NetlinkSocket } from './netlink.ts';
import { ETH_P_ALL, ETH_P_IP, makeProgramPlace, newProgram } from './traffic-control.ts';

/** linux/if_ether.h. */
const TAGS = [0x8100, 0x88a8] as const;
const ETHERNET_TYPE = 12;
const ETHERNET_BYTES = 14;
const IPV4_SOURCE = ETHERNET_BYTES + 12;
const IPV4_DESTINATION = ETHERNET_BYTES + 16;

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
    this.#program = loadPacketProgram(WITHOUT_LOOPBACK, 'load packet filter');
  }

  /**
   * From now on nothing from or to 127/8 comes in at a link, whatever other filters say. A second time replaces it.
   * @param name of the filter, for a person. @throws TsdError
   */
  put(socket: NetlinkSocket, link: number, name: string): void {
    makeProgramPlace(socket, link);
    const program = this.#program;
    socket.request([newProgram({ link, direction: 'ingress', protocol: ETH_P_ALL, program, name })]);
  }

  close(): void {
    closeSync(this.#program);
  }
}
