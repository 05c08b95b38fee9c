/** Takes questions by UDP from a socket inside a sandbox. */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { closeSync } from 'node:fs';
import { sendDatagram } from '../../ffi/sockets/internet.ts';
import { duplicateSocket } from '../../ffi/sockets/sockets.ts';
import { byAddress } from '../forward/udp-port.ts';

/** Bytes of replies that wait for room; more are dropped, as a network would. */
const MAX_QUEUED_BYTES = 1024 * 1024;

/** @param reply called once; null where the packet gets no answer */
export type OnPacket = (bytes: Buffer, reply: (bytes: Buffer | null) => void) => void;

export class UdpListener {
  readonly fd: number;
  readonly #socket: Socket;
  #closed = false;
  /** Questions that have no reply yet. */
  #waiting = 0;
  /** By which they are answered when the socket is another program's. */
  #late: number | null = null;

  /** Takes the descriptor over. @throws Error when it is no UDP socket */
  constructor(fd: number, onPacket: OnPacket, onError: (error: Error) => void) {
    this.fd = fd;
    this.#socket = createSocket({ type: 'udp4', lookup: byAddress as never });
    this.#socket.on('error', onError);
    this.#socket.on('message', (bytes: Buffer, { port, address }: RemoteInfo) => {
      this.#waiting++;
      onPacket(bytes, (reply) => {
        this.#waiting--;
        if (this.#closed) this.#sendLate(reply, port, address);
        else if (reply !== null) this.#send(reply, port, address);
      });
    });
    this.#socket.bind({ fd });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#socket.close();
  }

  /** Reads no more, and closes when the questions that it has read are answered: another program has the socket too. */
  leave(): void {
    try {
      if (this.#waiting > 0) this.#late = duplicateSocket(this.fd);
    } catch {
      // Without one more descriptor these are not answered, and asked again.
    }
    this.close();
  }

  #sendLate(reply: Buffer | null, port: number, address: string): void {
    if (this.#late === null) return;
    if (reply !== null) sendDatagram(this.#late, reply, address, port);
    if (this.#waiting > 0) return;
    closeSync(this.#late);
    this.#late = null;
  }

  #send(reply: Buffer, port: number, address: string): void {
    if (this.#socket.getSendQueueSize() > MAX_QUEUED_BYTES) return;
    try {
      this.#socket.send(reply, port, address, ignored);
    } catch {
      // A client without a port cannot be answered.
    }
  }
}

/** A reply that does not arrive is asked for again. */
const ignored = (): void => undefined;
