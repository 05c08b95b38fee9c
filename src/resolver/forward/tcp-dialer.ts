/** Questions over TCP, each by a connection of its own, as many at a time as there are sockets. */
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { disconnectSocket } from '../../ffi/sockets/internet.ts';
import { duplicateSocket } from '../../ffi/sockets/sockets.ts';
import type { Server } from '../protocol.ts';
import type { Cancel } from './udp-pool.ts';
import type { Exchange } from './udp-port.ts';

/** Sockets of a sandbox, which are connected over and over: a connection is made on a duplicate, which Node closes. */
interface Lent {
  readonly fd: number;
  inUse: boolean;
  /** Closed when the connection ends. */
  gone: boolean;
}

export class TcpDialer {
  /** Null: from the namespace of this process, by sockets that Node makes. */
  readonly #lent: { readonly 4: Lent[]; readonly 6: Lent[] } | null;

  constructor(from: 'host' | 'inside') {
    this.#lent = from === 'host' ? null : { 4: [], 6: [] };
  }

  descriptors(family: 4 | 6): readonly number[] {
    return (this.#lent?.[family] ?? []).map(({ fd }) => fd);
  }

  replace(family: 4 | 6, fds: readonly number[]): void {
    const lent = this.#lent?.[family] ?? [];
    for (const each of lent.splice(0)) retire(each);
    for (const fd of fds) lent.push({ fd, inUse: false, gone: false });
  }

  /** @returns what stops it; null when all sockets are in use, none is of the family, or none can be duplicated */
  send(server: Server, question: Buffer, exchange: Exchange): Cancel | null {
    if (this.#lent === null) return ask(new Socket(), server, question, exchange, () => undefined);
    const free = this.#lent[server.address.includes(':') ? 6 : 4].find(({ inUse }) => !inUse);
    const socket = free === undefined ? null : duplicateOf(free.fd);
    if (free === undefined || socket === null) return null;
    free.inUse = true;
    return ask(socket, server, question, exchange, () => {
      disconnectSocket(free.fd);
      free.inUse = false;
      if (free.gone) closeSync(free.fd);
    });
  }

  close(): void {
    if (this.#lent === null) return;
    for (const lent of Object.values(this.#lent)) for (const each of lent.splice(0)) retire(each);
  }
}

/** Null where this process may have no more descriptors just now. */
function duplicateOf(fd: number): Socket | null {
  let duplicate = -1;
  try {
    duplicate = duplicateSocket(fd);
    // Without manualStart it would be read before it is connected.
    const options = { fd: duplicate, manualStart: true };
    return new Socket(options as ConstructorParameters<typeof Socket>[0]);
  } catch {
    if (duplicate >= 0) closeSync(duplicate);
    return null;
  }
}

function retire(lent: Lent): void {
  lent.gone = true;
  if (!lent.inUse) closeSync(lent.fd);
}

function ask(socket: Socket, server: Server, question: Buffer, exchange: Exchange, onClose: () => void): Cancel {
  const id = question.readUInt16BE(0);
  let received: Buffer = Buffer.alloc(0);
  socket.on('error', () => exchange.fail());
  socket.on('close', () => {
    onClose();
    exchange.fail();
  });
  socket.on('data', (bytes: Buffer) => {
    received = received.length === 0 ? bytes : Buffer.concat([received, bytes]);
    if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
    const reply = received.subarray(2, 2 + received.readUInt16BE(0));
    if (reply.length < 2 || reply.readUInt16BE(0) !== id || !exchange.accept(reply)) exchange.fail();
  });
  socket.connect(server.port, server.address, () => {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(question.length);
    socket.write(Buffer.concat([length, question]));
  });
  return () => socket.destroy();
}
