/**
 * The changes that the kernel reported since the last read: netlink(7), NETLINK_ROUTE, its groups and
 * NETLINK_LISTEN_ALL_NSID. Layouts: linux/socket.h, linux/netlink.h, linux/rtnetlink.h, linux/filter.h; recvmmsg(2), cmsg(3).
 */
import { constants } from 'node:os';
import { sysError } from '../call/errno.ts';
import { addressOf } from '../call/foreign.ts';
import { syscall, trySyscall } from '../call/native.ts';
import { heardOf, unheardOf } from './arrivals.ts';
import { NETLINK_ROUTE } from './netlink.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_NETLINK = 270;
const NETLINK_LISTEN_ALL_NSID = 8;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_ATTACH_FILTER = 26;

/** Events taken from the kernel in one call. */
const AT_ONCE = 64;
/** struct mmsghdr: a struct msghdr of 56 bytes and the length of what came. */
const HEADER_BYTES = 64;
const IOV_BYTES = 16;
/** CMSG_SPACE(sizeof(int)): header of 16 bytes, the number, padding. */
const CONTROL_BYTES = 24;
/** An event is only counted: what became of the address is asked for. The kernel cuts the rest off. */
const DATA_BYTES = 16;
const SLOT_BYTES = HEADER_BYTES + IOV_BYTES + CONTROL_BYTES + DATA_BYTES;
const [IOV, IOV_LENGTH, CONTROL, CONTROL_LENGTH] = [16, 24, 32, 40] as const;

/** Groups of rtnetlink(7), to be added up. */
export const RTMGRP = {
  LINK: 1,
  TC: 8,
  IPV4_IFADDR: 0x10,
  IPV4_ROUTE: 0x40,
  IPV4_RULE: 0x80,
  IPV6_IFADDR: 0x100,
  IPV6_ROUTE: 0x400,
  IPV6_RULE: 0x40000,
} as const;

const [RTM_NEWLINK, RTM_DELROUTE, RTM_DELRULE, RTM_DELQDISC, RTM_DELTFILTER] = [16, 25, 33, 37, 45] as const;
const [IFF_UP, IFF_RUNNING] = [0x1, 0x40] as const;
/** Low bytes of a message's nlmsg_type, and of ifi_flags and ifi_change of the struct ifinfomsg behind its header. */
const [TYPE_AT, FLAGS_AT, CHANGE_AT] = [4, 24, 28] as const;

/** Instructions of linux/bpf_common.h: load a byte, and with a constant, jump if equal or some bit is set, return. */
const [LOAD, AND, JUMP_EQUAL, JUMP_SET, RETURN] = [0x30, 0x54, 0x15, 0x45, 0x06] as const;
const [TAKE, DROP] = [0xffffffff, 0] as const;

/**
 * struct sock_filter: code, distances of the jump when it is true and when it is not, constant. It lets through that a route
 * a rule, a limit or a filter was deleted, and that someone set a link down, which removes its routes without messages about
 * them. What goes with a link that is deleted has no messages of its own. That link is closed first and loses IFF_RUNNING in the same message; so that is filtered out, like
 * all other messages about adding and removing a link.
 */
const ONLY_LOSSES: readonly (readonly [code: number, yes: number, no: number, value: number])[] = [
  [LOAD, 0, 0, TYPE_AT],
  [JUMP_EQUAL, 9, 0, RTM_DELROUTE],
  [JUMP_EQUAL, 8, 0, RTM_DELRULE],
  [JUMP_EQUAL, 7, 0, RTM_DELQDISC],
  [JUMP_EQUAL, 6, 0, RTM_DELTFILTER],
  [JUMP_EQUAL, 0, 6, RTM_NEWLINK],
  [LOAD, 0, 0, FLAGS_AT],
  [JUMP_SET, 4, 0, IFF_UP],
  [LOAD, 0, 0, CHANGE_AT],
  [AND, 0, 0, IFF_UP | IFF_RUNNING],
  [JUMP_EQUAL, 0, 1, IFF_UP],
  [RETURN, 0, 0, TAKE],
  [RETURN, 0, 0, DROP],
];

/** Where something changed. */
export interface Changes {
  /** In the namespace that is listened in. */
  readonly here: boolean;
  /** Numbers of other namespaces, of those that had a number when it happened (namespace-ids.ts). */
  readonly elsewhere: ReadonlySet<number>;
}

export class RouteChanges {
  readonly #fd: number;
  /** The headers stand together, as recvmmsg wants them; what they point to follows. */
  readonly #vector = Buffer.alloc(AT_ONCE * SLOT_BYTES);

  /**
   * Listens from now on, in the network namespace this thread is in.
   * @param groups of {@link RTMGRP}
   * @param everywhere also what happens in other namespaces
   * @param what all of it, or of routes, rules and links only where routes and rules go
   * @throws TsdError
   */
  constructor(groups: number, everywhere: boolean, what: 'all' | 'losses' = 'all') {
    this.#fd = syscall('open netlink socket', 'socket', AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
    try {
      if (everywhere) this.#listenEverywhere();
      if (what === 'losses') this.#filter();
      const address = Buffer.alloc(64);
      address.writeUInt16LE(AF_NETLINK, 0);
      address.writeUInt32LE(groups, 8);
      syscall('listen to changes of the network', 'bind', this.#fd, address, 12);
      heardOf(this.#fd);
    } catch (error) {
      this.close();
      throw error;
    }
    this.#layOut();
  }

  /** The changes since the last call; null when there were more than the kernel keeps: anything may have changed. */
  take(): Changes | null {
    const elsewhere = new Set<number>();
    let here = false;
    let lost = false;
    for (;;) {
      const count = trySyscall('recvmmsg', this.#fd, this.#vector, AT_ONCE, MSG_DONTWAIT, null);
      if (count === -constants.errno.EAGAIN) return lost ? null : { here, elsewhere };
      if (count === -constants.errno.ENOBUFS) lost = true;
      else if (count < 0) throw sysError('recvmmsg', -count, 'read changes of the network');
      for (let slot = 0; slot < count; slot++) here = !this.#tookElsewhere(slot, elsewhere) || here;
    }
  }

  close(): void {
    unheardOf(this.#fd);
    trySyscall('close', this.#fd);
  }

  #listenEverywhere(): void {
    const one = Buffer.alloc(64);
    one.writeUInt32LE(1);
    const step = 'listen to all network namespaces';
    syscall(step, 'setsockopt', this.#fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, one, 4);
  }

  #filter(): void {
    const program = Buffer.alloc(ONLY_LOSSES.length * 8);
    ONLY_LOSSES.forEach(([code, yes, no, value], index) => {
      program.writeUInt16LE(code, index * 8);
      program.writeUInt8(yes, index * 8 + 2);
      program.writeUInt8(no, index * 8 + 3);
      program.writeUInt32LE(value, index * 8 + 4);
    });
    const described = Buffer.alloc(64);
    described.writeUInt16LE(ONLY_LOSSES.length, 0);
    described.writeBigUInt64LE(BigInt(addressOf(program)), 8);
    syscall('leave out other changes', 'setsockopt', this.#fd, SOL_SOCKET, SO_ATTACH_FILTER, described, 16);
  }

  #tookElsewhere(slot: number, elsewhere: Set<number>): boolean {
    const lengthAt = slot * HEADER_BYTES + CONTROL_LENGTH;
    // Nothing comes along when it happened in our own namespace.
    const isElsewhere = this.#vector.readUInt32LE(lengthAt) > 0;
    if (isElsewhere) elsewhere.add(this.#vector.readInt32LE(controlAt(slot) + 16));
    this.#vector.writeUInt32LE(CONTROL_BYTES, lengthAt);
    return isElsewhere;
  }

  #layOut(): void {
    const base = addressOf(this.#vector);
    for (let slot = 0; slot < AT_ONCE; slot++) {
      const header = slot * HEADER_BYTES;
      const iov = AT_ONCE * HEADER_BYTES + slot * IOV_BYTES;
      const point = (at: number, to: number): void => {
        this.#vector.writeBigUInt64LE(BigInt(base + to), at);
      };
      point(header + IOV, iov);
      this.#vector.writeUInt32LE(1, header + IOV_LENGTH);
      point(header + CONTROL, controlAt(slot));
      this.#vector.writeUInt32LE(CONTROL_BYTES, header + CONTROL_LENGTH);
      point(iov, controlAt(AT_ONCE) + slot * DATA_BYTES);
      this.#vector.writeUInt32LE(DATA_BYTES, iov + 8);
    }
  }
}

const controlAt = (slot: number): number => AT_ONCE * (HEADER_BYTES + IOV_BYTES) + slot * CONTROL_BYTES;
