/** Unbound sockets, socket(2). */
import { syscall } from '../../ffi/call/native.ts';
import type { Protocol } from '../../model/kinds/short-forms.ts';

export const AF_INET = 2;
export const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC_NONBLOCK = 0o2000000 | 0o4000;

/** Type of a socket that does not block and that no child inherits. */
export const socketType = (protocol: Protocol): number =>
  (protocol === 'udp' ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC_NONBLOCK;

/** A socket of the namespace this thread is in: not bound, non-blocking, close-on-exec; the caller closes it. */
export function openInternetSocket(protocol: 'tcp' | 'udp', family: 'ipv4' | 'ipv6'): number {
  return syscall('socket', 'socket', family === 'ipv6' ? AF_INET6 : AF_INET, socketType(protocol), 0);
}
