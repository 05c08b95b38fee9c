/** Sockets of the network namespace of this thread: not bound, non-blocking, close-on-exec; the caller closes them. */
import { syscall, trySyscall } from '../call/native.ts';

// bits/socket.h
const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;
/** struct sockaddr with the family AF_UNSPEC. */
const UNSPECIFIED = Buffer.alloc(16);

export function datagramSocket(family: 4 | 6): number {
  return syscall('open a socket', 'socket', family === 6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_CLOEXEC_NONBLOCK, 0);
}

/**
 * Ends the connection of a socket, also of TCP (connect(2) with AF_UNSPEC), so that it can be connected again. The kernel
 * then gives it another port, unless it was bound to one.
 */
export function disconnectSocket(fd: number): boolean {
  return trySyscall('connect', fd, UNSPECIFIED, UNSPECIFIED.length) === 0;
}

const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const ADDRESS_BYTES = 16;

/** Sends a datagram to an IPv4 address from a socket that Node does not have. False where it was not sent. */
export function sendDatagram(fd: number, bytes: Buffer, address: string, port: number): boolean {
  // struct sockaddr_in of ip(7)
  const to = Buffer.alloc(ADDRESS_BYTES);
  to.writeUInt16LE(AF_INET, 0);
  to.writeUInt16BE(port, 2);
  to.set(address.split('.').map(Number), 4);
  return trySyscall('sendto', fd, bytes, bytes.length, MSG_DONTWAIT | MSG_NOSIGNAL, to, to.length) === bytes.length;
}

// asm-generic/socket.h
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_TYPE = 3;
const SO_ACCEPTCONN = 30;
const SO_DOMAIN = 39;
const SOCK_STREAM = 1;

/** No other socket may be bound to its address beside it, from now on. */
export function keepAddress(fd: number): void {
  const zero = Buffer.alloc(4);
  syscall('unset SO_REUSEADDR', 'setsockopt', fd, SOL_SOCKET, SO_REUSEADDR, zero, zero.length);
}

export const isListening = (fd: number): boolean => option(fd, SO_ACCEPTCONN) === 1;

export interface SocketKind {
  readonly protocol: 'tcp' | 'udp';
  readonly family: 4 | 6;
  readonly isListening: boolean;
}

/** What a descriptor is; null for what is no socket of the internet's families. */
export function socketKind(fd: number): SocketKind | null {
  const domain = option(fd, SO_DOMAIN);
  const type = option(fd, SO_TYPE);
  if ((domain !== AF_INET && domain !== AF_INET6) || (type !== SOCK_STREAM && type !== SOCK_DGRAM)) return null;
  return {
    protocol: type === SOCK_STREAM ? 'tcp' : 'udp',
    family: domain === AF_INET ? 4 : 6,
    isListening: isListening(fd),
  };
}

function option(fd: number, name: number): number | null {
  const value = Buffer.alloc(4);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(value.length);
  return trySyscall('getsockopt', fd, SOL_SOCKET, name, value, length) < 0 ? null : value.readInt32LE(0);
}
