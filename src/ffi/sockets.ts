/** Unix sockets that Node cannot make: connected pairs and listeners to be handed to another process. */
import { closeSync } from 'node:fs';
import { TsdError } from '../model/errors.ts';
import { syscall } from './native.ts';

// bits/socket.h, include/uapi/linux/un.h
const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const PATH_BYTES = 108;

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
export function listenAt(path: string, backlog: number): number {
  checkSocketPath(path);
  const address = Buffer.alloc(2 + PATH_BYTES);
  address.writeUInt16LE(AF_UNIX, 0);
  const length = 2 + address.write(path, 2) + 1;
  const fd = syscall('socket', 'socket', AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  try {
    syscall(`bind ${path}`, 'bind', fd, address, length);
    syscall(`listen ${path}`, 'listen', fd, backlog);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
