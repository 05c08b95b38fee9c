/** A connection that was turned into a WebSocket, as the raw bytes of its messages both ways. */
import type { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { DockerError } from './docker-error.ts';
import { acceptOf, CLOSE, closeFrame, FrameReader, frame, OPCODE, type Received } from './websocket-frames.ts';

const VERSION = '13';
const KEY = /^[A-Za-z0-9+/]{22}==$/;

/** @throws DockerError 400 for a request that asks for no WebSocket */
export function webSocketHead({ headers }: IncomingMessage): string {
  const key = headers['sec-websocket-key'] ?? '';
  const asks = headers.upgrade?.toLowerCase() === 'websocket' && headers['sec-websocket-version'] === VERSION;
  if (!asks || !KEY.test(key)) throw new DockerError(400, 'not a request for a WebSocket of version 13');
  const lines = ['HTTP/1.1 101 Switching Protocols', 'Upgrade: websocket', 'Connection: Upgrade'];
  return `${[...lines, `Sec-WebSocket-Accept: ${acceptOf(key)}`].join('\r\n')}\r\n\r\n`;
}

export class WebSocketStream extends Duplex {
  readonly #socket: Duplex;
  readonly #opcode: number;
  readonly #reader = new FrameReader();
  #hasEnd = false;

  /** @param type of the messages that are sent */
  constructor(socket: Duplex, type: 'text' | 'binary') {
    super({ allowHalfOpen: true });
    this.#socket = socket;
    this.#opcode = OPCODE[type];
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.once('end', () => this.#endInput());
    socket.once('close', () => this.destroy());
    socket.on('error', (error) => this.destroy(error));
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.#socket.write(frame(this.#opcode, chunk), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(closeFrame(CLOSE.normal), () => done());
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #take(chunk: Buffer): void {
    for (const received of this.#reader.take(chunk)) this.#obey(received);
  }

  #obey(received: Received): void {
    switch (received.type) {
      case 'bytes':
        if (!this.#hasEnd && !this.push(received.bytes)) this.#socket.pause();
        break;
      case 'ping':
        this.#pong(received.payload);
        break;
      case 'close':
        this.#endInput();
        break;
      case 'invalid':
        this.#socket.end(closeFrame(CLOSE.protocolError));
        this.destroy();
        break;
    }
  }

  /** Who sends pings and does not read is not read either. */
  #pong(payload: Buffer): void {
    const { writable } = this.#socket;
    if (!writable || this.#socket.write(frame(OPCODE.pong, payload))) return;
    this.#socket.pause();
    this.#socket.once('drain', () => this.#socket.resume());
  }

  #endInput(): void {
    if (this.#hasEnd) return;
    this.#hasEnd = true;
    this.push(null);
  }
}
