/** Sockets for questions over UDP, used in turn and shared only when all are in use. */
import { randomInt } from 'node:crypto';
import { closeSync } from 'node:fs';
import { datagramSocket } from '../../ffi/sockets/internet.ts';
import type { Server } from '../protocol.ts';
import { type Exchange, UdpPort } from './udp-port.ts';

/** Stops an exchange: no answer of it is waited for. */
export type Cancel = () => void;

const MAX_ID = 0x10000;

interface Ports {
  readonly all: UdpPort[];
  /** Those that may still be made. */
  mayMake: number;
}

export class UdpPool {
  readonly #ports: { readonly 4: Ports; readonly 6: Ports };
  readonly #onDistrusted: () => void;

  /** @param mayMake how many sockets it may make itself in the namespace of this process, for each family */
  constructor(mayMake: number, onDistrusted: () => void) {
    this.#ports = { 4: { all: [], mayMake }, 6: { all: [], mayMake } };
    this.#onDistrusted = onDistrusted;
  }

  descriptors(family: 4 | 6): readonly number[] {
    return this.#ports[family].all.map(({ fd }) => fd);
  }

  /** Takes sockets over in the place of those it has. @throws Error when one is no UDP socket */
  replace(family: 4 | 6, fds: readonly number[]): void {
    const ports = this.#ports[family];
    for (const port of ports.all.splice(0)) port.close();
    for (const fd of fds) ports.all.push(new UdpPort(fd, family, this.#onDistrusted));
  }

  /**
   * Sends a question with an id of its own.
   * @returns what stops it; null when there is no socket for it
   */
  send(server: Server, question: Buffer, exchange: Exchange): Cancel | null {
    const port = this.#portFor(server);
    if (port === null) return null;
    let id = randomInt(MAX_ID);
    while (port.has(id)) id = randomInt(MAX_ID);
    const packet = Buffer.from(question);
    packet.writeUInt16BE(id, 0);
    port.send(server, id, packet, exchange);
    return () => port.end(id);
  }

  close(): void {
    for (const { all } of Object.values(this.#ports)) for (const port of all.splice(0)) port.close();
  }

  #portFor(server: Server): UdpPort | null {
    const family = server.address.includes(':') ? 6 : 4;
    const ports = this.#ports[family];
    const free = ports.all.find(({ waiting }) => waiting === 0);
    if (free !== undefined) return free;
    const made = this.#made(family);
    if (made !== null) return made;
    const shared = ports.all.filter((port) => port.isFor(server));
    return shared.length === 0 ? null : (shared[randomInt(shared.length)] as UdpPort);
  }

  /** Null where none may be made, or the host has none just now: it counts when it is there. */
  #made(family: 4 | 6): UdpPort | null {
    const ports = this.#ports[family];
    if (ports.mayMake === 0) return null;
    let fd = -1;
    try {
      fd = datagramSocket(family);
      const made = new UdpPort(fd, family, this.#onDistrusted);
      ports.all.push(made);
      ports.mayMake--;
      return made;
    } catch {
      if (fd >= 0) closeSync(fd);
      return null;
    }
  }
}
