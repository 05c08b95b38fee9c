/** Sockets bound at once, which Node cannot do: its listen and bind report errors later. socket(7), ip(7), ipv6(7). */
import { isIPv6 } from 'node:net';
import { syscall, trySyscall } from '../../ffi/call/native.ts';
import { addressBytes } from '../../ffi/network/address-bytes.ts';
import type { Protocol } from '../../model/kinds/short-forms.ts';
import { AF_INET, AF_INET6, socketType } from './internet-socket.ts';

const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const IPPROTO_IPV6 = 41;
const IPPROTO_SCTP = 132;
const IPV6_V6ONLY = 26;
const BACKLOG = 4096;

/** The sixteen bytes of an IPv6 address. */
function ipv6Bytes(address: string): Buffer {
  const [head = '', tail] = address.split('::');
  const words = (part: string): number[] =>
    part === ''
      ? []
      : part.split(':').flatMap((word) => (word.includes('.') ? ipv4Words(word) : [Number.parseInt(word, 16)]));
  const [front, back] = [words(head), tail === undefined ? [] : words(tail)];
  const all = [...front, ...Array.from({ length: 8 - front.length - back.length }, () => 0), ...back];
  const out = Buffer.alloc(16);
  all.forEach((word, index) => {
    out.writeUInt16BE(word, index * 2);
  });
  return out;
}

function ipv4Words(dotted: string): number[] {
  const bytes = addressBytes(dotted);
  return [bytes.readUInt16BE(0), bytes.readUInt16BE(2)];
}

/** struct sockaddr_in or sockaddr_in6. */
function socketAddress(address: string, port: number): { bytes: Buffer; length: number } {
  const bytes = Buffer.alloc(64);
  bytes.writeUInt16BE(port, 2);
  if (isIPv6(address)) {
    bytes.writeUInt16LE(AF_INET6, 0);
    ipv6Bytes(address).copy(bytes, 8);
    return { bytes, length: 28 };
  }
  bytes.writeUInt16LE(AF_INET, 0);
  addressBytes(address).copy(bytes, 4);
  return { bytes, length: 16 };
}

export interface BoundAddress {
  readonly address: string;
  readonly port: number;
  readonly protocol: Protocol;
}

/**
 * A bound socket, listening when it is TCP; close-on-exec and non-blocking, the caller closes it. An IPv6 socket takes
 * IPv6 only. TCP sets SO_REUSEADDR: connections of an earlier listener that are still winding down are no conflict,
 * another listener is.
 * @returns the descriptor, or the negative errno of bind(2) or listen(2).
 */
export function bindSocket({ address, port, protocol }: BoundAddress): number {
  const family = isIPv6(address) ? AF_INET6 : AF_INET;
  const fd = trySyscall('socket', family, socketType(protocol), protocol === 'sctp' ? IPPROTO_SCTP : 0);
  if (fd < 0) return fd;
  const result = bindAndListen(fd, { address, port, protocol });
  if (result === 0) return fd;
  trySyscall('close', fd);
  return result;
}

function bindAndListen(fd: number, { address, port, protocol }: BoundAddress): number {
  const one = Buffer.alloc(64);
  one.writeUInt32LE(1);
  if (isIPv6(address)) syscall('set IPV6_V6ONLY', 'setsockopt', fd, IPPROTO_IPV6, IPV6_V6ONLY, one, 4);
  if (protocol === 'tcp') syscall('set SO_REUSEADDR', 'setsockopt', fd, SOL_SOCKET, SO_REUSEADDR, one, 4);
  const { bytes, length } = socketAddress(address, port);
  const bound = trySyscall('bind', fd, bytes, length);
  if (bound < 0 || protocol === 'udp') return bound;
  return trySyscall('listen', fd, BACKLOG);
}
