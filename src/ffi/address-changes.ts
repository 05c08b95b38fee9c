/**
 * In which network namespaces addresses changed, as the kernel told since it was asked last: netlink(7), NETLINK_ROUTE,
 * RTMGRP_IPV4_IFADDR with NETLINK_LISTEN_ALL_NSID. Layouts: linux/socket.h, linux/netlink.h; recvmmsg(2), cmsg(3).
 */
import { constants } from 'node:os';
import { sysError } from './errno.ts';
import { addressOf, syscall, trySyscall } from './native.ts';
import { NETLINK_ROUTE } from './netlink.ts';

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const SOL_NETLINK = 270;
const NETLINK_LISTEN_ALL_NSID = 8;
const RTMGRP_IPV4_IFADDR = 0x10;
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

export class AddressChanges {
  readonly #fd: number;
  /** The headers stand together, as recvmmsg wants them; what they point to follows. */
  readonly #vector = Buffer.alloc(AT_ONCE * SLOT_BYTES);

  /** Listens from now on, in the network namespace this thread is in. @throws TsdError */
  constructor() {
    this.#fd = syscall('open netlink socket', 'socket', AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_ROUTE);
    try {
      const one = Buffer.alloc(64);
      one.writeUInt32LE(1);
      const step = 'listen to all network namespaces';
      syscall(step, 'setsockopt', this.#fd, SOL_NETLINK, NETLINK_LISTEN_ALL_NSID, one, 4);
      const address = Buffer.alloc(64);
      address.writeUInt16LE(AF_NETLINK, 0);
      address.writeUInt32LE(RTMGRP_IPV4_IFADDR, 8);
      syscall('listen to changes of addresses', 'bind', this.#fd, address, 12);
    } catch (error) {
      this.close();
      throw error;
    }
    this.#layOut();
  }

  /**
   * Numbers of the namespaces with changes since the last call, of those that had a number then (namespace-ids.ts); null
   * when there were more changes than the kernel keeps, so that any namespace may have changed.
   */
  take(): ReadonlySet<number> | null {
    const changed = new Set<number>();
    let lost = false;
    for (;;) {
      const count = trySyscall('recvmmsg', this.#fd, this.#vector, AT_ONCE, MSG_DONTWAIT, 0);
      if (count === -constants.errno.EAGAIN) return lost ? null : changed;
      if (count === -constants.errno.ENOBUFS) lost = true;
      else if (count < 0) throw sysError('recvmmsg', -count, 'read changes of addresses');
      for (let slot = 0; slot < count; slot++) this.#takeSlot(slot, changed);
    }
  }

  close(): void {
    trySyscall('close', this.#fd);
  }

  #takeSlot(slot: number, changed: Set<number>): void {
    const lengthAt = slot * HEADER_BYTES + CONTROL_LENGTH;
    // Nothing comes along when it happened in our own namespace.
    if (this.#vector.readUInt32LE(lengthAt) > 0) changed.add(this.#vector.readInt32LE(controlAt(slot) + 16));
    this.#vector.writeUInt32LE(CONTROL_BYTES, lengthAt);
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
