import { syscall, trySyscall } from '../../src/ffi/call/native.ts';
import { addressOfPath } from '../../src/ffi/sockets/notify-address.ts';

/** A datagram socket as systemd has it, read all along; include/linux/socket.h and net.h for the numbers. */
export function notifySocket(path: string) {
  const [AF_UNIX, SOCK_DGRAM, SOCK_NONBLOCK, MSG_DONTWAIT] = [1, 2, 0o4000, 0x40];
  const fd = syscall('socket', 'socket', AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  const address = addressOfPath(path);
  syscall('bind', 'bind', fd, address, address.length);
  const messages: string[] = [];
  const read = (): void => {
    const buffer = Buffer.alloc(4096);
    for (let length = 1; length > 0; ) {
      length = trySyscall('recvfrom', fd, buffer, buffer.length, MSG_DONTWAIT, 0, 0);
      if (length > 0) messages.push(...buffer.toString('utf8', 0, length).split('\n'));
    }
  };
  const reading = setInterval(read, 20);
  return {
    messages: () => {
      read();
      return messages;
    },
    close: () => {
      clearInterval(reading);
      trySyscall('close', fd);
    },
  };
}
