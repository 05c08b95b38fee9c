/** A DNS server that does as a test says, by UDP and TCP. */
import { createSocket, type Socket } from 'node:dgram';
import { createServer, type Server } from 'node:net';
import { type DecodedPacket, decode, encode, type Packet } from 'dns-packet';
import { bindSocket } from '../../../src/drivers/network/bound-socket.ts';

export interface Asked {
  readonly packet: DecodedPacket;
  readonly bytes: Buffer;
  readonly transport: 'udp' | 'tcp';
  readonly port: number;
}

/** Packets to send back, in order; `send` sends one later, by UDP. */
type Handler = (asked: Asked, send: (reply: Buffer) => void) => readonly Buffer[];

export class StubServer {
  readonly asked: Asked[] = [];
  handler: Handler;
  readonly #udp: Socket;
  readonly #tcp: Server;

  /** Call it in the namespace where the server is to be. */
  constructor(address: string, handler: Handler, port = 53) {
    this.handler = handler;
    const bound = (protocol: 'udp' | 'tcp'): number => {
      const fd = bindSocket({ address, port, protocol });
      if (fd < 0) throw new Error(`cannot bind ${address}: errno ${-fd}`);
      return fd;
    };
    this.#udp = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    this.#udp.on('message', (bytes, from) => {
      const send = (reply: Buffer) => this.#udp.send(reply, from.port, from.address);
      for (const reply of this.#answers(bytes, 'udp', from.port, send)) send(reply);
    });
    this.#udp.bind({ fd: bound('udp') });
    this.#tcp = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (bytes) => {
        for (const reply of this.#answers(bytes.subarray(2), 'tcp', socket.remotePort ?? 0, () => undefined)) {
          const length = Buffer.alloc(2);
          length.writeUInt16BE(reply.length);
          socket.write(Buffer.concat([length, reply]));
        }
      });
    });
    this.#tcp.listen({ fd: bound('tcp') });
  }

  /** Names that were asked for. */
  get names(): string[] {
    return this.asked.map(({ packet }) => packet.questions?.[0]?.name ?? '');
  }

  close(): void {
    this.#udp.close();
    this.#tcp.close();
  }

  #answers(bytes: Buffer, transport: 'udp' | 'tcp', port: number, send: (reply: Buffer) => void): readonly Buffer[] {
    const asked = { packet: decode(bytes), bytes, transport, port };
    this.asked.push(asked);
    return this.handler(asked, send);
  }
}

/** A reply to a question; its low four bits of `flags` are the code. */
export function replyTo({ packet }: Asked, changes: Partial<Packet> = {}): Buffer {
  return encode({ type: 'response', id: packet.id, flags: 0x0180, questions: packet.questions, ...changes } as Packet);
}

export const addressOf = (asked: Asked, ...addresses: readonly string[]): Buffer =>
  replyTo(asked, {
    answers: addresses.map((data) => ({
      type: 'A',
      class: 'IN',
      ttl: 300,
      name: asked.packet.questions?.[0]?.name ?? '',
      data,
    })),
  });

export const withCode = (asked: Asked, code: number): Buffer => replyTo(asked, { flags: 0x0180 | code });
