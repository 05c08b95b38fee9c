/**
 * One UDP socket for questions to servers, connected to one server while it is in use: the kernel then passes on only what
 * comes from there. Between uses it is disconnected, and gets another random port with the next (RFC 5452, 9.2).
 */
import { createSocket, type Socket } from 'node:dgram';
import type { Server } from '../protocol.ts';

/** A question that waits for its answer. */
export interface Exchange {
  /** @returns whether it is the answer that was waited for */
  accept(reply: Buffer): boolean;
  /** The server cannot be reached. */
  fail(): void;
}

/** Addresses are addresses already; connect(2) and sendto(2) are then called at once. */
export function byAddress(
  address: string,
  _family: unknown,
  done: (error: null, address: string, family: number) => void,
): void {
  done(null, address, address.includes(':') ? 6 : 4);
}

export class UdpPort {
  readonly fd: number;
  readonly #socket: Socket;
  readonly #exchanges = new Map<number, Exchange>();
  #server: Server | null = null;
  #closed = false;

  /** Takes the descriptor over. @throws Error when it is no UDP socket */
  constructor(fd: number, family: 4 | 6, onDistrusted: () => void) {
    this.fd = fd;
    this.#socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4', lookup: byAddress as never });
    this.#socket.on('error', () => this.#failAll());
    this.#socket.on('message', (bytes: Buffer) => {
      const id = bytes.length < 2 ? -1 : bytes.readUInt16BE(0);
      if (this.#exchanges.get(id)?.accept(bytes) !== true) onDistrusted();
    });
    this.#socket.bind({ fd });
  }

  get waiting(): number {
    return this.#exchanges.size;
  }

  isFor({ address, port }: Server): boolean {
    return this.#server?.address === address && this.#server.port === port;
  }

  has(id: number): boolean {
    return this.#exchanges.has(id);
  }

  /** Sends a packet whose id no other exchange of this port has. The port is free, or connected to this server. */
  send(server: Server, id: number, packet: Buffer, exchange: Exchange): void {
    this.#exchanges.set(id, exchange);
    try {
      if (this.#server === null) {
        this.#server = server;
        this.#socket.connect(server.port, server.address);
      }
      this.#socket.send(packet, ignored);
    } catch {
      // Not connected: the error comes as an event too, or the address is of another family.
      queueMicrotask(() => exchange.fail());
    }
  }

  /** The exchange is over. */
  end(id: number): void {
    this.#exchanges.delete(id);
    if (this.#exchanges.size > 0 || this.#server === null || this.#closed) return;
    this.#server = null;
    try {
      this.#socket.disconnect();
    } catch {
      // It was not connected.
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#failAll();
    this.#socket.close();
  }

  #failAll(): void {
    for (const exchange of [...this.#exchanges.values()]) exchange.fail();
  }
}

/** What could not be sent gets no answer, and the next server is asked. */
const ignored = (): void => undefined;
