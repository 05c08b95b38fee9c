/** Syslog servers over UDP (RFC 5426: a message a datagram) and TCP (RFC 6587: length and message). */
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { connect, isIPv6, type Socket } from 'node:net';
import type { LogEntry } from '../../../api/requests.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { LogOrigin, LogSink } from './sink.ts';

type Format = (entry: LogEntry, origin: LogOrigin) => Buffer;

/** IPv4 has room for this much beside its headers. */
const MAX_DATAGRAM = 65_507;
const CONNECT_TIMEOUT_MS = 10_000;

const failure = (where: string, cause: Error): TsdError =>
  new TsdError('TSD_LOG_RECEIVER', `no log can be sent to ${where}: ${cause.message}`, { cause });

export class UdpSink implements LogSink {
  readonly #socket: UdpSocket;
  readonly #where: string;
  readonly #target: readonly [port: number, host: string];
  readonly #format: Format;

  constructor(host: string, port: number, format: Format) {
    this.#socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    // A later error of the network about a datagram is ignored.
    this.#socket.on('error', () => undefined);
    this.#socket.unref();
    this.#target = [port, host];
    this.#where = `udp://${host}:${port}`;
    this.#format = format;
  }

  send(entry: LogEntry, origin: LogOrigin): Promise<void> {
    const bytes = this.#format(entry, origin).subarray(0, MAX_DATAGRAM);
    return new Promise((resolve, reject) => {
      this.#socket.send(bytes, ...this.#target, (error) => (error ? reject(failure(this.#where, error)) : resolve()));
    });
  }

  close(): void {
    this.#socket.close();
  }
}

export class TcpSink implements LogSink {
  readonly #host: string;
  readonly #port: number;
  readonly #format: Format;
  #socket: Promise<Socket> | null = null;

  constructor(host: string, port: number, format: Format) {
    this.#host = host;
    this.#port = port;
    this.#format = format;
  }

  async send(entry: LogEntry, origin: LogOrigin): Promise<void> {
    this.#socket ??= this.#connect();
    try {
      const socket = await this.#socket;
      const message = this.#format(entry, origin);
      const framed = Buffer.concat([Buffer.from(`${message.length} `), message]);
      await new Promise<void>((resolve, reject) => {
        if (socket.destroyed) reject(new Error('the connection was closed'));
        else socket.write(framed, (error) => (error ? reject(error) : resolve()));
      });
    } catch (thrown) {
      this.close();
      throw thrown instanceof TsdError ? thrown : failure(this.#where, thrown as Error);
    }
  }

  close(): void {
    void this.#socket?.then(
      (socket) => socket.destroy(),
      () => undefined,
    );
    this.#socket = null;
  }

  get #where(): string {
    return `tcp://${this.#host}:${this.#port}`;
  }

  #connect(): Promise<Socket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: this.#host, port: this.#port, keepAlive: true, timeout: CONNECT_TIMEOUT_MS });
      socket.once('connect', () => {
        socket.setTimeout(0);
        resolve(socket);
      });
      socket.once('timeout', () => socket.destroy(new Error('timed out')));
      socket.on('error', (error) => reject(failure(this.#where, error)));
      // A server that closes is noticed at the next entry; what it sends is nothing of ours.
      socket.resume();
      socket.unref();
    });
  }
}
