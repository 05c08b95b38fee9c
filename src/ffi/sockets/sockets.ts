/** Unix sockets as bare descriptors: Node gives none away, and owns those that it makes. */
import { closeSync } from 'node:fs';
import { TsdError } from '../../model/errors/errors.ts';
import { syscall } from '../call/native.ts';

// bits/socket.h, include/uapi/linux/un.h
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_SEQPACKET = 5;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const F_DUPFD_CLOEXEC = 1030;
const PATH_BYTES = 108;

/** `packets`: connected as a stream is, but each message is received as it was sent. No call on such a socket waits. */
export type UnixSocketType = 'stream' | 'packets';

const TYPES: Readonly<Record<UnixSocketType, number>> = {
  stream: SOCK_STREAM,
  packets: SOCK_SEQPACKET | SOCK_NONBLOCK,
};

/** Two connected stream sockets, close-on-exec. */
export function socketPair(): { ours: number; theirs: number } {
  const pair = Buffer.alloc(64);
  syscall('socketpair', 'socketpair', AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
  return { ours: pair.readInt32LE(0), theirs: pair.readInt32LE(4) };
}

/** @throws TSD_FLAG when the path is longer than the kernel takes (108 bytes with its NUL). */
export function checkSocketPath(path: string): void {
  const bytes = Buffer.byteLength(path);
  if (bytes < PATH_BYTES) return;
  throw new TsdError('TSD_FLAG', `socket path of ${bytes} bytes is too long: ${path}`, {
    step: 'name a socket',
    hint: `Choose a shorter --run-dir; a socket path may have ${PATH_BYTES - 1} bytes.`,
  });
}

/** A listening socket at a path that must not exist. The descriptor is close-on-exec and belongs to the caller. */
export function listenAt(path: string, backlog: number, type: UnixSocketType = 'stream'): number {
  const { address, length } = addressOf(path);
  const fd = syscall('socket', 'socket', AF_UNIX, TYPES[type] | SOCK_CLOEXEC, 0);
  return closedOnFailure(fd, () => {
    syscall(`bind ${path}`, 'bind', fd, address, length);
    syscall(`listen ${path}`, 'listen', fd, backlog);
  });
}

/** A socket connected to who listens at the path; does not wait for a place in a full queue. The caller closes it. */
export function connectTo(path: string, type: UnixSocketType = 'stream'): number {
  const { address, length } = addressOf(path);
  const fd = syscall('socket', 'socket', AF_UNIX, TYPES[type] | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  return closedOnFailure(fd, () => {
    syscall(`connect ${path}`, 'connect', fd, address, length);
  });
}

/** Another descriptor of the same socket, close-on-exec. */
export function duplicateSocket(fd: number): number {
  return syscall('duplicate a socket', 'fcntl', fd, F_DUPFD_CLOEXEC, 3);
}

function addressOf(path: string): { address: Buffer; length: number } {
  checkSocketPath(path);
  const address = Buffer.alloc(2 + PATH_BYTES);
  address.writeUInt16LE(AF_UNIX, 0);
  return { address, length: 2 + address.write(path, 2) + 1 };
}

function closedOnFailure(fd: number, use: () => void): number {
  try {
    use();
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
