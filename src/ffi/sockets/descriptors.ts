/**
 * Descriptors sent over a unix socket of type `packets` (SCM_RIGHTS of unix(7), cmsg(3)). Node reads a socket without
 * room for them, and the kernel then closes what was sent; so the sockets here are bare descriptors that Node never reads.
 * No call waits.
 */
import { closeSync } from 'node:fs';
import { constants } from 'node:os';
import { TsdError } from '../../model/errors/errors.ts';
import { sysError } from '../call/errno.ts';
import { addressOf } from '../call/foreign.ts';
import { trySyscall } from '../call/native.ts';

// bits/socket.h
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const MSG_CTRUNC = 0x8;
const MSG_TRUNC = 0x20;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const MSG_CMSG_CLOEXEC = 0x40000000;

/** SCM_MAX_FD of include/net/scm.h. @internal tests send so many. */
export const MAX_DESCRIPTORS = 253;

// struct msghdr { name, namelen, iov, iovlen, control, controllen, flags }, struct iovec { base, len } and
// struct cmsghdr { len, level, type } where pointers and size_t have 8 bytes.
const MSGHDR_BYTES = 56;
const IOVEC_BYTES = 16;
const CMSGHDR_BYTES = 16;
const CONTROL_AT = 32;
const CONTROL_LENGTH_AT = 40;
const FLAGS_AT = 48;

const EAGAIN = -constants.errno.EAGAIN;

interface Message {
  readonly header: Buffer;
  /** What the header points to; kept so that it is not collected while the kernel reads it. */
  readonly parts: readonly Buffer[];
}

function messageOf(bytes: Buffer, control: Buffer | null): Message {
  const iovec = Buffer.alloc(IOVEC_BYTES);
  iovec.writeBigUInt64LE(BigInt(addressOf(bytes)), 0);
  iovec.writeBigUInt64LE(BigInt(bytes.length), 8);
  const header = Buffer.alloc(MSGHDR_BYTES);
  header.writeBigUInt64LE(BigInt(addressOf(iovec)), 16);
  header.writeBigUInt64LE(1n, 24);
  if (control !== null) {
    header.writeBigUInt64LE(BigInt(addressOf(control)), CONTROL_AT);
    header.writeBigUInt64LE(BigInt(control.length), CONTROL_LENGTH_AT);
  }
  return { header, parts: control === null ? [bytes, iovec] : [bytes, iovec, control] };
}

/** CMSG_SPACE of that many descriptors. */
const controlBytes = (count: number): number => CMSGHDR_BYTES + ((count * 4 + 7) & ~7);

function rightsOf(descriptors: readonly number[]): Buffer | null {
  if (descriptors.length === 0) return null;
  const control = Buffer.alloc(controlBytes(descriptors.length));
  control.writeBigUInt64LE(BigInt(CMSGHDR_BYTES + descriptors.length * 4), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  for (const [index, descriptor] of descriptors.entries()) {
    control.writeInt32LE(descriptor, CMSGHDR_BYTES + index * 4);
  }
  return control;
}

/**
 * Sends bytes, at least one, with up to {@link MAX_DESCRIPTORS} descriptors. The caller keeps its own copies of these.
 * @returns false when the receiver's queue is full: nothing was sent, try again when it has read
 * @throws TsdError when nobody receives
 */
export function sendDescriptors(socket: number, bytes: Buffer, descriptors: readonly number[]): boolean {
  if (bytes.length === 0 || descriptors.length > MAX_DESCRIPTORS) {
    throw new TsdError('TSD_BUG', `cannot send ${descriptors.length} descriptors with ${bytes.length} bytes`);
  }
  const { header, parts } = messageOf(bytes, rightsOf(descriptors));
  const result = trySyscall('sendmsg', socket, header, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (result === EAGAIN || result === -constants.errno.ENOBUFS) return false;
  if (result < 0) throw sysError('sendmsg', -result, 'send descriptors');
  if (result !== (parts[0] as Buffer).length) throw new TsdError('TSD_BUG', `sent ${result} bytes of ${bytes.length}`);
  return true;
}

export interface Received {
  readonly bytes: Buffer;
  /** Close-on-exec; they belong to the caller. */
  readonly descriptors: readonly number[];
}

/**
 * Takes one message of up to `maxBytes`.
 * @returns null when none is there; no bytes and no descriptors when the other side has closed
 * @throws TsdError when it is longer, or when this process may not have that many descriptors open: those of it are closed
 */
export function receiveDescriptors(socket: number, maxBytes: number): Received | null {
  const bytes = Buffer.alloc(maxBytes);
  const control = Buffer.alloc(controlBytes(MAX_DESCRIPTORS));
  const { header } = messageOf(bytes, control);
  const length = trySyscall('recvmsg', socket, header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (length === EAGAIN) return null;
  if (length < 0) throw sysError('recvmsg', -length, 'receive descriptors');
  const descriptors = descriptorsIn(control.subarray(0, Number(header.readBigUInt64LE(CONTROL_LENGTH_AT))));
  const flags = header.readInt32LE(FLAGS_AT);
  if ((flags & (MSG_CTRUNC | MSG_TRUNC)) === 0) return { bytes: bytes.subarray(0, length), descriptors };
  for (const descriptor of descriptors) closeSync(descriptor);
  if ((flags & MSG_CTRUNC) !== 0) throw sysError('recvmsg', constants.errno.EMFILE, 'receive descriptors');
  throw new TsdError('TSD_BAD_REQUEST', `a message with descriptors has more than ${maxBytes} bytes`);
}

function descriptorsIn(control: Buffer): number[] {
  const descriptors: number[] = [];
  for (let at = 0; at + CMSGHDR_BYTES <= control.length; ) {
    const length = Number(control.readBigUInt64LE(at));
    if (length < CMSGHDR_BYTES || at + length > control.length) break;
    if (control.readInt32LE(at + 8) === SOL_SOCKET && control.readInt32LE(at + 12) === SCM_RIGHTS) {
      for (let from = at + CMSGHDR_BYTES; from + 4 <= at + length; from += 4) {
        descriptors.push(control.readInt32LE(from));
      }
    }
    at += (length + 7) & ~7;
  }
  return descriptors;
}

/** A connection that waits at a listening socket, close-on-exec; null when there is none. */
export function acceptWaiting(listener: number): number | null {
  const fd = trySyscall('accept4', listener, null, null, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd >= 0) return fd;
  if (fd === EAGAIN || fd === -constants.errno.ECONNABORTED) return null;
  throw sysError('accept4', -fd, 'accept a connection');
}
