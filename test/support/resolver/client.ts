/** The supervisor's side of the resolver's sockets, as small as it can be. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { receiveDescriptors, sendDescriptors } from '../../../src/ffi/sockets/descriptors.ts';
import { connectTo } from '../../../src/ffi/sockets/sockets.ts';
import {
  encodeMessage,
  type Hello,
  LANE_PACKET_BYTES,
  laneName,
  MessageDecoder,
  parcelLabel,
  RESOLVER_PROTOCOL,
  type Reply,
  type ReplyTo,
  type Request,
  type RequestKind,
  replyOf,
  type SocketRole,
} from '../../../src/resolver/protocol.ts';

class Refused extends Error {
  readonly refused: string;

  constructor(refused: string, message: string) {
    super(`${refused}: ${message}`);
    this.refused = refused;
  }
}

export class ResolverClient {
  #lane: number;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  readonly closed: Promise<unknown>;
  #requests = 0;
  #parcels = 0;

  private constructor(lane: number, socket: Socket) {
    this.#lane = lane;
    this.#socket = socket;
    this.closed = once(socket, 'close');
    socket.on('error', () => undefined);
    const decoder = new MessageDecoder();
    socket.on('data', (chunk: Buffer) => {
      for (const message of decoder.push(chunk)) {
        const reply = replyOf(message);
        this.#waiting.get(reply.id)?.(reply);
        this.#waiting.delete(reply.id);
      }
    });
  }

  static async connect(directory: string): Promise<{ client: ResolverClient; hello: Hello }> {
    const lane = connectTo(join(directory, 'descriptors.sock'), 'packets');
    const name = randomBytes(16).toString('hex');
    sendDescriptors(lane, laneName(name), []);
    const socket = connect(join(directory, 'control.sock'));
    await once(socket, 'connect');
    const client = new ResolverClient(lane, socket);
    return { client, hello: await client.ask({ kind: 'hello', version: RESOLVER_PROTOCOL, lane: name }) };
  }

  async ask<Kind extends RequestKind>(request: Request & { readonly kind: Kind }): Promise<ReplyTo<Kind>> {
    const id = ++this.#requests;
    const reply = new Promise<Reply>((resolve, reject) => {
      this.#waiting.set(id, resolve);
      this.closed.then(() => reject(new Error('the resolver closed the connection')), reject);
    });
    this.#socket.write(encodeMessage({ id, request }));
    const answer = await reply;
    if ('refused' in answer) throw new Refused(answer.refused, answer.message);
    return answer.result as ReplyTo<Kind>;
  }

  /** Hands sockets over; the caller's own descriptors are closed. */
  async give(id: string, sockets: readonly (readonly [SocketRole, number])[]): Promise<void> {
    const parcel = ++this.#parcels;
    const fds = sockets.map(([, fd]) => fd);
    if (!sendDescriptors(this.#lane, parcelLabel(parcel), fds)) throw new Error('the lane is full');
    for (const fd of fds) closeSync(fd);
    await this.ask({ kind: 'give-sockets', id, parcel, roles: sockets.map(([role]) => role) });
  }

  async take(id: string): Promise<(readonly [SocketRole, number])[]> {
    const { parcel, roles } = await this.ask({ kind: 'take-sockets', id });
    if (parcel === null) return [];
    const received = receiveDescriptors(this.#lane, LANE_PACKET_BYTES);
    if (received?.bytes.toString() !== parcelLabel(parcel).toString()) throw new Error('another parcel came');
    return roles.map((role, index) => [role, received.descriptors[index] as number] as const);
  }

  close(): void {
    this.#socket.destroy();
    if (this.#lane >= 0) closeSync(this.#lane);
    this.#lane = -1;
  }
}
