/** Takes questions by TCP, any number on a connection, answered as they are ready (RFC 7766, 6.2.1.1 and 7). */
import { createServer, type Server, type Socket } from 'node:net';
import { isListening } from '../../ffi/sockets/internet.ts';
import { MAX_QUESTION_BYTES } from '../packet/query.ts';
import type { OnPacket } from './udp-listener.ts';

export interface TcpLimits {
  /** Of one container. Beyond it, the connection that has been silent longest makes room. */
  readonly connections: number;
  /** Silence, and the time that a question may take to arrive whole (RFC 7766, 6.2.3). */
  readonly idleMs: number;
}

const TCP_LIMITS: TcpLimits = { connections: 64, idleMs: 10_000 };

/** Questions of one connection that may wait at a time; it is not read meanwhile. */
const MAX_WAITING = 32;
/** Answers that a client does not take. */
const MAX_UNREAD_BYTES = 256 * 1024;
const LENGTH_BYTES = 2;

export class TcpListener {
  readonly fd: number;
  readonly #server: Server;
  /** In the order of their last question. */
  readonly #connections = new Set<Connection>();
  readonly #onPacket: OnPacket;
  readonly #limits: TcpLimits;

  /** Takes the descriptor over. @param onError called also when it is no listening socket of TCP */
  constructor(fd: number, onPacket: OnPacket, onError: (error: Error) => void, limits: TcpLimits = TCP_LIMITS) {
    this.fd = fd;
    this.#onPacket = onPacket;
    this.#limits = limits;
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    this.#server.on('error', onError);
    this.#server.listen({ fd });
  }

  close(): void {
    this.#server.close();
    for (const connection of this.#connections) connection.destroyIfIdle();
  }

  /**
   * Who administers the network of the container can end a listening socket (sock_diag(7), `ss -K`). No error comes of that
   * here, and the event loop would be woken by the socket for ever.
   * @returns whether it was ended, and is closed now
   */
  closeIfEnded(): boolean {
    if (isListening(this.fd)) return false;
    this.close();
    return true;
  }

  #accept(socket: Socket): void {
    if (this.#connections.size >= this.#limits.connections) {
      for (const oldest of this.#connections) {
        oldest.destroy();
        break;
      }
    }
    const connection: Connection = new Connection(socket, this.#limits.idleMs, {
      onPacket: this.#onPacket,
      onUse: () => {
        this.#connections.delete(connection);
        this.#connections.add(connection);
      },
      onClose: () => this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }
}

interface Hooks {
  readonly onPacket: OnPacket;
  readonly onUse: () => void;
  readonly onClose: () => void;
}

class Connection {
  readonly #socket: Socket;
  readonly #hooks: Hooks;
  readonly #idleMs: number;
  #received: Buffer = Buffer.alloc(0);
  #waiting = 0;
  /** Ends a connection whose question does not become whole, however slowly it arrives. */
  #half: NodeJS.Timeout | null = null;

  constructor(socket: Socket, idleMs: number, hooks: Hooks) {
    this.#socket = socket;
    this.#hooks = hooks;
    this.#idleMs = idleMs;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#endHalf();
      hooks.onClose();
    });
    socket.setTimeout(idleMs, () => {
      if (this.#waiting === 0) socket.destroy();
    });
    socket.on('data', (bytes: Buffer) => {
      this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
      this.#takeQuestions();
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  destroyIfIdle(): void {
    if (this.#waiting === 0) this.#socket.destroy();
  }

  #takeQuestions(): void {
    for (let question = this.#next(); question !== null; question = this.#next()) {
      this.#waiting++;
      this.#endHalf();
      this.#hooks.onUse();
      this.#hooks.onPacket(question, (reply) => this.#reply(reply));
      if (this.#waiting < MAX_WAITING) continue;
      this.#socket.pause();
      return;
    }
    if (this.#received.length > 0 && !this.#socket.destroyed) {
      this.#half ??= setTimeout(() => this.#socket.destroy(), this.#idleMs);
    }
  }

  #next(): Buffer | null {
    if (this.#received.length < LENGTH_BYTES) return null;
    const length = this.#received.readUInt16BE(0);
    if (length > MAX_QUESTION_BYTES) {
      this.#received = Buffer.alloc(0);
      this.#socket.destroy();
      return null;
    }
    const end = LENGTH_BYTES + length;
    if (this.#received.length < end) return null;
    const question = this.#received.subarray(LENGTH_BYTES, end);
    this.#received = this.#received.subarray(end);
    return question;
  }

  #endHalf(): void {
    if (this.#half !== null) clearTimeout(this.#half);
    this.#half = null;
  }

  #reply(reply: Buffer | null): void {
    this.#waiting--;
    if (this.#socket.destroyed) return;
    if (reply !== null) {
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt16BE(reply.length);
      this.#socket.write(Buffer.concat([length, reply]));
    }
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) this.#socket.destroy();
    if (!this.#socket.isPaused() || this.#waiting >= MAX_WAITING) return;
    this.#socket.resume();
    // What had arrived before may hold more questions.
    queueMicrotask(() => this.#takeQuestions());
  }
}
