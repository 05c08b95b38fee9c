/** Sends questions on to servers, one after the other, and keeps what they answer. */
import { randomInt } from 'node:crypto';
import { HEADER_BYTES } from '../packet/wire.ts';
import type { Server } from '../protocol.ts';
import type { AnswerCache } from './cache.ts';
import type { TcpDialer } from './tcp-dialer.ts';
import type { Cancel, UdpPool } from './udp-pool.ts';
import type { Exchange } from './udp-port.ts';
import { type Asked, answersQuestion, isFinal, lifetimeOf } from './upstream-reply.ts';

/** Of resolv.conf(5). */
const MAX_SERVERS = 3;
/** For each server, as Docker waits. */
const SERVER_MS = 4000;
/** A datagram may be lost on its way; it is sent a second time. */
const AGAIN_MS = 1000;
/** How soon it is looked again for a socket that is free. */
const SOCKET_MS = 50;

export type Transport = 'udp' | 'tcp';

/** Servers, and the sockets to reach them by. */
export interface Upstream {
  /** Answers are shared among those of the same name. No name is the beginning of another. */
  readonly name: string;
  readonly servers: readonly Server[];
  readonly udp: UdpPool;
  readonly tcp: TcpDialer;
}

/** The answer, with the client's id and question; null when no server gave one. The caller may change the bytes. */
export type OnAnswer = (reply: Buffer | null) => void;

interface Waiting {
  readonly asked: Asked;
  readonly onAnswer: OnAnswer;
}

export interface ForwarderCounts {
  forwarded: number;
  distrusted: number;
}

export class Forwarder {
  readonly #cache: AnswerCache;
  readonly #now: () => number;
  readonly #counts: ForwarderCounts;
  /** Who waits for the same answer: it is asked for once. */
  readonly #inFlight = new Map<string, Waiting[]>();

  /** @param now milliseconds of a clock that is never set back */
  constructor(cache: AnswerCache, counts: ForwarderCounts, now: () => number) {
    this.#cache = cache;
    this.#counts = counts;
    this.#now = now;
  }

  /** What is kept of an earlier answer. */
  cached(upstream: Upstream, asked: Asked): Buffer | null {
    if (!asked.query.isPlain) return null;
    const reply = this.#cache.get(keyOf(upstream, asked), this.#now());
    return reply === null ? null : toClient(reply, asked);
  }

  ask(upstream: Upstream, transport: Transport, asked: Asked, onAnswer: OnAnswer): void {
    const { isPlain } = asked.query;
    const key = isPlain ? `${transport} ${keyOf(upstream, asked)}` : null;
    const others = key === null ? undefined : this.#inFlight.get(key);
    if (others !== undefined) {
      others.push({ asked, onAnswer });
      return;
    }
    const waiting: Waiting[] = [{ asked, onAnswer }];
    if (key !== null) this.#inFlight.set(key, waiting);
    this.#counts.forwarded++;
    const end = (reply: Buffer | null): void => {
      if (key !== null) this.#inFlight.delete(key);
      if (reply !== null && isPlain) this.#keep(upstream, asked, reply);
      for (const each of waiting) each.onAnswer(reply === null ? null : toClient(Buffer.from(reply), each.asked));
    };
    this.#askNext(upstream, transport, asked, 0, end);
  }

  forget(upstreamName: string): void {
    this.#cache.forget(`${upstreamName} `);
  }

  #askNext(upstream: Upstream, transport: Transport, asked: Asked, index: number, end: OnAnswer): void {
    const server = upstream.servers.slice(0, MAX_SERVERS)[index];
    if (server === undefined) {
      end(null);
      return;
    }
    this.#askServer(upstream, transport, server, asked, (reply) => {
      if (reply !== null && isFinal(reply)) end(reply);
      else this.#askNext(upstream, transport, asked, index + 1, end);
    });
  }

  /** Asks one server. It is settled once: by an answer, a failure, or the end of its time. */
  #askServer(upstream: Upstream, transport: Transport, server: Server, asked: Asked, settled: OnAnswer): void {
    const cancels: Cancel[] = [];
    let timers: NodeJS.Timeout[] = [];
    let isSettled = false;
    const settle = (reply: Buffer | null): void => {
      if (isSettled) return;
      isSettled = true;
      for (const timer of timers) clearTimeout(timer);
      for (const cancel of cancels) cancel();
      settled(reply);
    };
    const exchange: Exchange = {
      accept: (reply) => {
        if (!answersQuestion(reply, asked)) return false;
        settle(reply);
        return true;
      },
      fail: () => settle(null),
    };
    const send = (): boolean => {
      const cancel =
        transport === 'udp'
          ? upstream.udp.send(server, asked.bytes, exchange)
          : overTcp(upstream, server, asked, exchange);
      if (cancel !== null) cancels.push(cancel);
      return cancel !== null;
    };
    timers = [setTimeout(() => settle(null), SERVER_MS)];
    if (send()) {
      if (transport === 'udp' && !isSettled) timers.push(setTimeout(send, AGAIN_MS));
      return;
    }
    const untilSent = setInterval(() => {
      if (send()) clearInterval(untilSent);
    }, SOCKET_MS);
    timers.push(untilSent);
  }

  #keep(upstream: Upstream, asked: Asked, reply: Buffer): void {
    const lifetime = reply.readUInt16BE(4) === 1 ? lifetimeOf(reply, asked.query) : null;
    if (lifetime !== null) this.#cache.put(keyOf(upstream, asked), reply, lifetime, this.#now());
  }
}

function overTcp({ tcp }: Upstream, server: Server, { bytes }: Asked, exchange: Exchange): Cancel | null {
  const question = Buffer.from(bytes);
  question.writeUInt16BE(randomInt(0x10000), 0);
  return tcp.send(server, question, exchange);
}

/** All that is asked but the id, and the name without case. */
function keyOf({ name }: Upstream, { bytes, query }: Asked): string {
  return `${name} ${query.name} ${bytes.toString('latin1', 2, HEADER_BYTES)}${bytes.toString('latin1', query.questionEnd - 4)}`;
}

/** The client gets its own id, and its question as it wrote it. */
function toClient(reply: Buffer, { bytes, query }: Asked): Buffer {
  bytes.copy(reply, 0, 0, 2);
  if (reply.readUInt16BE(4) === 1) bytes.copy(reply, HEADER_BYTES, HEADER_BYTES, query.questionEnd);
  return reply;
}
