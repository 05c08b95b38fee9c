/** Datagrams to a unix socket, which Node's dgram does not have (unix(7)). Never blocks. */
import { constants } from 'node:os';
import { sysError } from '../call/errno.ts';
import { syscall, trySyscall } from '../call/native.ts';
import { addressOfPath } from './notify-address.ts';

const AF_UNIX = 1; // include/linux/socket.h
const SOCK_DGRAM = 2; // include/linux/net.h
const SOCK_CLOEXEC = 0o2000000;
const MSG_NOSIGNAL = 0x4000;
const MSG_DONTWAIT = 0x40;

export class UnixDatagrams {
  readonly #address: Buffer;
  readonly #path: string;
  #fd: number;

  constructor(path: string) {
    this.#path = path;
    this.#address = addressOfPath(path);
    this.#fd = syscall('open a socket', 'socket', AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  }

  /** False when the receiver's queue is full: try again later. @throws TsdError when there is no receiver */
  send(bytes: Buffer): boolean {
    const flags = MSG_NOSIGNAL | MSG_DONTWAIT;
    const result = trySyscall('sendto', this.#fd, bytes, bytes.length, flags, this.#address, this.#address.length);
    if (result >= 0) return true;
    if (result === -constants.errno.EAGAIN || result === -constants.errno.ENOBUFS) return false;
    throw sysError('sendto', -result, `send to ${this.#path}`);
  }

  close(): void {
    if (this.#fd >= 0) trySyscall('close', this.#fd);
    this.#fd = -1;
  }
}
