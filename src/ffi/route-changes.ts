/**
 * What the kernel told of changes since it was asked last: netlink(7), NETLINK_ROUTE, its groups and
 * NETLINK_LISTEN_ALL_NSID. Layouts: linux/socket.h, linux/netlink.h, linux/rtnetlink.h; recvmmsg(2), cmsg(3).
 */
import { constants } from 'node:os';
import { sysError } from './errno.ts';
import { addressOf, syscall, trySyscall } from './native.ts';
import { NETLINK_ROUTE } from './netlink.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_NETLINK = 270;
const NETLINK_LISTEN_ALL_NSID = 8;
const MSG_DONTWAIT = 0x40;

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
export const RTMGRP = { LINK: 1, IPV4_IFADDR: 0x10, IPV4_ROUTE: 0x40 } as const;

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
   * @throws TsdError
   */
  constructor(groups: number, everywhere: boolean) {
    this.#fd = syscall('open netlink socket', 'socket', AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
    try {
      if (everywhere) this.#listenEverywhere();
      const address = Buffer.alloc(64);
      address.writeUInt16LE(AF_NETLINK, 0);
      address.writeUInt32LE(groups, 8);
      syscall('listen to changes of the network', 'bind', this.#fd, address, 12);
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
      const count = trySyscall('recvmmsg', this.#fd, this.#vector, AT_ONCE, MSG_DONTWAIT, 0);
      if (count === -constants.errno.EAGAIN) return lost ? null : { here, elsewhere };
      if (count === -constants.errno.ENOBUFS) lost = true;
      else if (count < 0) throw sysError('recvmmsg', -count, 'read changes of the network');
      for (let slot = 0; slot < count; slot++) here = !this.#tookElsewhere(slot, elsewhere) || here;
    }
  }

  close(): void {
    trySyscall('close', this.#fd);
  }

  #listenEverywhere(): void {
    const one = Buffer.alloc(64);
    one.writeUInt32LE(1);
    const step = 'listen to all network namespaces';
    syscall(step, 'setsockopt', this.#fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, one, 4);
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
