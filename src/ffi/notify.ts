/** sd_notify(3): state messages to the service manager over the datagram socket in $NOTIFY_SOCKET. */

import { syscall, trySyscall } from './native.ts';
import { addressOfPath } from './notify-address.ts';

const AF_UNIX = 1; // include/linux/socket.h
const SOCK_DGRAM = 2; // include/linux/net.h
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;

/**
 * Sends `READY=1\nSTATUS=…` and the like. A path that begins with `@` is an abstract socket.
 * @throws TsdError when the socket does not take the message.
 */
export function notifyServiceManager(socketPath: string, message: string): void {
  const fd = syscall('open notify socket', 'socket', AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  try {
    const address = addressOfPath(socketPath);
    const bytes = Buffer.from(message);
    syscall('notify the service manager', 'sendto', fd, bytes, bytes.length, MSG_NOSIGNAL, address, address.length);
  } finally {
    trySyscall('close', fd);
  }
}
