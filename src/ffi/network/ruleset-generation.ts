/** The number of the packet filter's present rules. Layouts and constants: linux/netfilter/{nfnetlink,nf_tables}.h. */
import { constants } from 'node:os';
import { TsdError } from '../../model/errors/errors.ts';
import { sysError } from '../call/errno.ts';
import { syscall, trySyscall } from '../call/native.ts';
import { heardOf, unheardOf } from './arrivals.ts';
import { NETLINK_NETFILTER, NetlinkSocket, parseAttributes } from './netlink.ts';

const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_GETGEN = 16;
const NFTA_GEN_ID = 1;
const NFNLGRP_NFTABLES = 7;
const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const MSG_DONTWAIT = 0x40;
/** struct nfgenmsg: any family, NFNETLINK_V0, no resource. */
const HEADER = Buffer.alloc(4);

/** Of the network namespace it was opened in. Transactions are announced (arrivals.ts) until the next read, and after it. */
export class RulesetGeneration {
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER);
  readonly #reports: number;
  readonly #report = Buffer.alloc(64);

  /** @throws TsdError */
  constructor() {
    try {
      this.#reports = listen();
    } catch (error) {
      this.#socket.close();
      throw error;
    }
  }

  /** Another number with each transaction, whoever makes it: with the same one all tables are as they were. @throws TsdError */
  read(): number {
    this.#drain();
    const step = 'ask for the number of the rules';
    const type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN;
    const [answer] = this.#socket.query({ step, type, flags: 0, body: HEADER });
    const id = answer && parseAttributes(answer, HEADER.length).get(NFTA_GEN_ID);
    if (id === undefined) throw new TsdError('TSD_BUG', `${step}: an answer without it`);
    return id.readUInt32BE(0);
  }

  close(): void {
    this.#socket.close();
    unheardOf(this.#reports);
    trySyscall('close', this.#reports);
  }

  /** What they say is not read: the number tells. A full socket announces nothing more. */
  #drain(): void {
    let left: number;
    do left = trySyscall('recvfrom', this.#reports, this.#report, this.#report.length, MSG_DONTWAIT, null, null);
    while (left >= 0 || left === -constants.errno.ENOBUFS);
    if (left !== -constants.errno.EAGAIN) throw sysError('recvfrom', -left, 'read changes of the rules');
  }
}

function listen(): number {
  const fd = syscall('open netlink socket', 'socket', AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_NETFILTER);
  try {
    const address = Buffer.alloc(64);
    address.writeUInt16LE(AF_NETLINK, 0);
    address.writeUInt32LE(1 << (NFNLGRP_NFTABLES - 1), 8);
    syscall('listen to changes of the rules', 'bind', fd, address, 12);
    heardOf(fd);
    return fd;
  } catch (error) {
    trySyscall('close', fd);
    throw error;
  }
}
