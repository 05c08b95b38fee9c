/** One container: its sockets, what it knows, and its questions. */
import { randomInt } from 'node:crypto';
import { mayWait } from './forward/fair-share.ts';
import type { Forwarder, Transport, Upstream } from './forward/forwarder.ts';
import { TcpDialer } from './forward/tcp-dialer.ts';
import { UdpPool } from './forward/udp-pool.ts';
import { TcpListener } from './listen/tcp-listener.ts';
import { UdpListener } from './listen/udp-listener.ts';
import { answer } from './names/answer.ts';
import type { View } from './names/view.ts';
import { isQuery, type Query, readQuery } from './packet/query.ts';
import { bareReply, type Prepared, prepare, replyFrom, roomFor } from './packet/reply.ts';
import { CODE } from './packet/wire.ts';
import { type SandboxState, SOCKET_ROLES, type SocketRole } from './protocol.ts';

/** Answers of names that are kept in their encoded form, for each container. */
const MAX_PREPARED = 256;
/** Of the question of such an answer: a name and some options. */
const MAX_PREPARED_QUESTION = 320;

export interface Counts {
  questions: number;
  answered: number;
  cached: number;
  forwarded: number;
  failed: number;
  refused: number;
  distrusted: number;
  waiting: number;
}

/** What all sandboxes share. */
export interface Shared {
  readonly forwarder: Forwarder;
  readonly counts: Counts;
  readonly log: (line: string) => void;
  /** Another number whenever names may have changed. */
  readonly version: () => number;
  readonly viewOf: (state: SandboxState) => View;
  readonly hostUpstream: () => Upstream;
}

type Reply = (bytes: Buffer | null) => void;

export class Sandbox {
  readonly id: string;
  readonly #shared: Shared;
  #state: SandboxState | null = null;
  #udp: UdpListener[] = [];
  #tcp: TcpListener[] = [];
  readonly #dialUdp: UdpPool;
  readonly #dialTcp = new TcpDialer('inside');
  #inside: Upstream | null = null;
  #waiting = 0;
  #isLeft = false;
  /** By the bytes of the question behind its id. */
  readonly #prepared = new Map<string, Prepared>();
  #preparedVersion = -1;
  #view: View | null = null;

  constructor(id: string, shared: Shared) {
    this.id = id;
    this.#shared = shared;
    this.#dialUdp = new UdpPool(0, () => shared.counts.distrusted++);
  }

  get state(): SandboxState | null {
    return this.#state;
  }

  set state(state: SandboxState) {
    this.#state = state;
    this.#preparedVersion = -1;
    const { forwarding } = state;
    if (this.#inside !== null) this.#shared.forwarder.forget(this.#upstreamName);
    this.#inside = null;
    if (forwarding.from !== 'inside') return;
    const servers = forwarding.servers.filter(({ address }) => address !== '127.0.0.11');
    this.#inside = { name: this.#upstreamName, servers, udp: this.#dialUdp, tcp: this.#dialTcp };
  }

  get #upstreamName(): string {
    return `inside:${this.id}`;
  }

  /** Roles of its sockets, and with the same index their descriptors. */
  sockets(): { readonly roles: SocketRole[]; readonly fds: number[] } {
    const all = SOCKET_ROLES.flatMap((role) => this.#descriptors(role).map((fd) => ({ role, fd })));
    return { roles: all.map(({ role }) => role), fds: all.map(({ fd }) => fd) };
  }

  #descriptors(role: SocketRole): readonly number[] {
    switch (role) {
      case 'udp':
      case 'tcp':
        return (role === 'udp' ? this.#udp : this.#tcp).map(({ fd }) => fd);
      case 'dial-udp4':
      case 'dial-udp6':
        return this.#dialUdp.descriptors(role === 'dial-udp4' ? 4 : 6);
      default:
        return this.#dialTcp.descriptors(role === 'dial-tcp4' ? 4 : 6);
    }
  }

  /** Takes descriptors over in the place of those of the same role. @throws Error when one is no socket of its kind */
  replace(role: SocketRole, fds: readonly number[]): void {
    switch (role) {
      case 'udp':
        this.#replaceUdp(fds);
        return;
      case 'tcp':
        this.#replaceTcp(fds);
        return;
      case 'dial-udp4':
      case 'dial-udp6':
        this.#dialUdp.replace(role === 'dial-udp4' ? 4 : 6, fds);
        return;
      default:
        this.#dialTcp.replace(role === 'dial-tcp4' ? 4 : 6, fds);
    }
  }

  #replaceUdp(fds: readonly number[]): void {
    for (const listener of this.#udp.splice(0)) listener.close();
    for (const fd of fds) {
      this.#udp.push(new UdpListener(fd, (bytes, reply) => this.#take('udp', bytes, reply), this.#onError('udp')));
    }
  }

  #replaceTcp(fds: readonly number[]): void {
    for (const listener of this.#tcp.splice(0)) listener.close();
    for (const fd of fds) {
      this.#tcp.push(new TcpListener(fd, (bytes, reply) => this.#take('tcp', bytes, reply), this.#onError('tcp')));
    }
  }

  #onError(what: Transport): (error: Error) => void {
    return (error) => this.#shared.log(`${what} socket of ${this.id.slice(0, 12)}: ${error.message}`);
  }

  /** Its sockets are another program's now: what is waited for here is still answered, as far as it comes from the host. */
  leave(): void {
    this.#isLeft = true;
    for (const listener of this.#udp.splice(0)) listener.leave();
    this.close();
  }

  /** Looks at what the container itself may have ended. */
  look(): void {
    const ended = this.#tcp.filter((listener) => listener.closeIfEnded());
    if (ended.length === 0) return;
    this.#tcp = this.#tcp.filter((listener) => !ended.includes(listener));
    this.#onError('tcp')(new Error('it was ended inside the container; no questions are taken by TCP any more'));
  }

  close(): void {
    this.#replaceUdp([]);
    this.#replaceTcp([]);
    this.#dialUdp.close();
    this.#dialTcp.close();
    this.#shared.forwarder.forget(this.#upstreamName);
  }

  #take(transport: Transport, bytes: Buffer, reply: Reply): void {
    this.#shared.counts.questions++;
    const key = bytes.toString('latin1', 2);
    const version = this.#shared.version();
    if (version !== this.#preparedVersion) {
      this.#prepared.clear();
      this.#view = this.#state === null ? null : this.#shared.viewOf(this.#state);
      this.#preparedVersion = version;
    }
    const known = this.#prepared.get(key);
    if (known !== undefined) {
      this.#shared.counts.answered++;
      reply(replyFrom(known, bytes.readUInt16BE(0), transport === 'udp', randomInt));
      return;
    }
    const query = readQuery(bytes);
    if (isQuery(query)) this.#answer(transport, key, bytes, query, reply);
    else {
      this.#shared.counts.refused++;
      reply(query.code === null ? null : bareReply(bytes, null, query.code));
    }
  }

  #answer(transport: Transport, key: string, bytes: Buffer, query: Query, reply: Reply): void {
    const { counts } = this.#shared;
    const found = this.#view === null ? null : answer(query, this.#view);
    if (found === null) this.#fail(bytes, query, reply);
    else if (found === 'forward') this.#forward(transport, bytes, query, reply);
    else {
      counts[found.code === CODE.refused ? 'refused' : 'answered']++;
      const prepared = prepare(bytes, query, found);
      if (key.length <= MAX_PREPARED_QUESTION) {
        if (this.#prepared.size >= MAX_PREPARED) this.#prepared.clear();
        this.#prepared.set(key, prepared);
      }
      reply(replyFrom(prepared, query.id, transport === 'udp', randomInt));
    }
  }

  #forward(transport: Transport, bytes: Buffer, query: Query, reply: Reply): void {
    const { counts, forwarder } = this.#shared;
    const upstream = this.#upstream();
    if (upstream === null || upstream.servers.length === 0) {
      this.#fail(bytes, query, reply);
      return;
    }
    // The bytes are the client's alone: Node gives each packet memory of its own.
    const asked = { bytes, query };
    const cached = forwarder.cached(upstream, asked);
    if (cached !== null) {
      counts.cached++;
      reply(fitted(transport, cached, bytes, query));
      return;
    }
    if (!mayWait(this.#waiting, counts.waiting)) {
      this.#fail(bytes, query, reply);
      return;
    }
    this.#waiting++;
    counts.waiting++;
    forwarder.ask(upstream, transport, asked, (answered) => {
      this.#waiting--;
      counts.waiting--;
      if (answered === null) this.#fail(bytes, query, reply);
      else reply(fitted(transport, answered, bytes, query));
    });
  }

  #upstream(): Upstream | null {
    const from = this.#state?.forwarding.from ?? 'nowhere';
    if (from === 'nowhere') return null;
    return from === 'host' ? this.#shared.hostUpstream() : this.#inside;
  }

  #fail(bytes: Buffer, query: Query, reply: Reply): void {
    // Without its sockets for servers inside nothing can be said here; the client asks again.
    if (this.#isLeft) {
      reply(null);
      return;
    }
    this.#shared.counts.failed++;
    reply(bareReply(bytes, query, CODE.failed));
  }
}

/** An answer that came by TCP, or of a server that did not ask how much there is room for, may not fit. */
function fitted(transport: Transport, answered: Buffer, bytes: Buffer, query: Query): Buffer {
  return transport === 'udp' && answered.length > roomFor(query) ? bareReply(bytes, query, CODE.ok, true) : answered;
}
