/** Who is at the other end of a unix socket. */
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { trySyscall } from '../call/native.ts';

// asm-generic/socket.h; struct ucred { pid, uid, gid }, of socket(7)
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
const UCRED_BYTES = 12;
// asm-generic/poll.h
const POLLERR = 0x8;
const POLLHUP = 0x10;

/** Node keeps the descriptor to itself; asking the kernel about it takes nothing away from Node. */
interface Handled {
  readonly _handle?: { readonly fd?: unknown } | null;
}

function descriptorOf(socket: Duplex): number | null {
  // Its types do not have what Node keeps to itself.
  const fd = (socket as unknown as Handled)._handle?.fd;
  return typeof fd === 'number' && fd >= 0 ? fd : null;
}

/** Uid of the process that connected, as it was then; null for what is no unix socket, or closed by now. */
export function peerUid(socket: Socket): number | null {
  const fd = descriptorOf(socket);
  return fd === null ? null : peerUidOf(fd);
}

/** As {@link peerUid}, of a descriptor. */
export function peerUidOf(fd: number): number | null {
  const credentials = Buffer.alloc(UCRED_BYTES);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(UCRED_BYTES);
  if (trySyscall('getsockopt', fd, SOL_SOCKET, SO_PEERCRED, credentials, length) < 0) return null;
  // Of a TCP connection the kernel knows no process: it says pid 0.
  return credentials.readInt32LE(0) === 0 ? null : credentials.readUInt32LE(4);
}

/**
 * True when the other end is closed both ways. One that only sends no more still reads: the end of input says nothing about
 * that, and of a connection that nothing is read from Node hears nothing at all.
 */
export function hasHungUp(socket: Duplex): boolean {
  const fd = descriptorOf(socket);
  if (fd === null) return socket.destroyed;
  // struct pollfd { int fd; short events, revents; }, and no time to wait
  const poll = Buffer.alloc(8);
  poll.writeInt32LE(fd, 0);
  if (trySyscall('ppoll', poll, 1, Buffer.alloc(16), null, 8) <= 0) return false;
  return (poll.readInt16LE(6) & (POLLHUP | POLLERR)) !== 0;
}
