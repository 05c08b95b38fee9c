/** Whole Ethernet frames, sent as they are. Layouts and constants: linux/if_packet.h, linux/if_ether.h; packet(7). */
import { syscall } from '../call/native.ts';

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
/** struct sockaddr_ll. */
const ADDRESS_BYTES = 20;
const MAC_BYTES = 6;

/** Sends frames by an interface of the namespace this thread is in. */
export function sendFrames(link: number, frames: readonly Buffer[]): void {
  const fd = syscall('open packet socket', 'socket', AF_PACKET, SOCK_RAW_CLOEXEC, 0);
  try {
    for (const frame of frames) {
      // Buffers that the kernel is given are not to be tiny.
      const to = Buffer.alloc(64);
      to.writeUInt16LE(AF_PACKET, 0);
      to.writeInt32LE(link, 4);
      to.writeUInt8(MAC_BYTES, 11);
      frame.copy(to, 12, 0, MAC_BYTES);
      syscall('send a frame', 'sendto', fd, frame, frame.length, 0, to, ADDRESS_BYTES);
    }
  } finally {
    syscall('close packet socket', 'close', fd);
  }
}
