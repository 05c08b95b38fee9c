/** sd_notify(3): state messages to the service manager over the datagram socket in $NOTIFY_SOCKET. */
import { UnixDatagrams } from './datagrams.ts';

/**
 * Sends `READY=1\nSTATUS=…` and the like. A path that begins with `@` is an abstract socket.
 * @returns false when the service manager is behind: nothing was sent, try again later.
 * @throws TsdError when there is no receiver
 */
export function notifyServiceManager(socketPath: string, message: string): boolean {
  const socket = new UnixDatagrams(socketPath);
  try {
    return socket.send(Buffer.from(message));
  } finally {
    socket.close();
  }
}
