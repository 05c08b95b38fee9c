/** Judges what a server sends back, and how long it may be kept. */
import type { Query } from '../packet/query.ts';
import { CODE, FLAG, HEADER_BYTES, recordAt, TYPE } from '../packet/wire.ts';

/** What is asked of a server: a packet, its length at the end of the question, and what comes back has to repeat. */
export interface Asked {
  readonly bytes: Buffer;
  readonly query: Query;
}

/** A server that knows nothing about a question may still be followed by one that does. */
const TRY_NEXT: ReadonlySet<number> = new Set([CODE.failed, CODE.refused, CODE.notImplemented]);

const codeOf = (reply: Buffer): number => reply.readUInt16BE(2) & FLAG.code;

export const isFinal = (reply: Buffer): boolean => !TRY_NEXT.has(codeOf(reply));

/** It answers this question and no other (RFC 5452, 9.1). The id is compared by who gave it. */
export function answersQuestion(reply: Buffer, { bytes, query }: Asked): boolean {
  if (reply.length < HEADER_BYTES) return false;
  const flags = reply.readUInt16BE(2);
  if ((flags & FLAG.response) === 0 || (flags & FLAG.opcode) !== 0) return false;
  // A server that could not read the question says so without repeating it.
  if (reply.readUInt16BE(4) === 0) return reply.length === HEADER_BYTES && (flags & FLAG.code) !== CODE.ok;
  if (reply.readUInt16BE(4) !== 1 || reply.length < query.questionEnd) return false;
  for (let at = HEADER_BYTES; at < query.questionEnd; at++) {
    if (small(reply[at] as number) !== small(bytes[at] as number)) return false;
  }
  return true;
}

const small = (byte: number): number => (byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte);

/** Seconds. Names of others change too: nothing is kept longer, whatever they say. */
const MAX_TTL = 3600;
/** RFC 2308, 5 allows hours; a name that has just been made should not be missed for as long. */
const MAX_NEGATIVE_TTL = 300;

export interface Lifetime {
  readonly seconds: number;
  /** Where the times to live stand in the reply. */
  readonly ttlsAt: readonly number[];
}

/** Null for what may not be kept, or cannot be read to its end. */
export function lifetimeOf(reply: Buffer, query: Query): Lifetime | null {
  const flags = reply.readUInt16BE(2);
  const code = flags & FLAG.code;
  if ((flags & FLAG.truncated) !== 0 || (code !== CODE.ok && code !== CODE.noSuchName)) return null;
  const read = readRecords(reply, query);
  if (read === null) return null;
  const { ttlsAt, shortest, negative, isAnswered } = read;
  const isPositive = code === CODE.ok && isAnswered;
  if (!isPositive && negative === null) return null;
  const seconds = Math.min(shortest, isPositive ? MAX_TTL : Math.min(negative ?? 0, MAX_NEGATIVE_TTL));
  return seconds > 0 ? { seconds, ttlsAt } : null;
}

interface Records {
  readonly ttlsAt: readonly number[];
  readonly shortest: number;
  /** How long it is known that there is nothing: RFC 2308, 3; null without a SOA record among the authorities. */
  readonly negative: number | null;
  readonly isAnswered: boolean;
}

function readRecords(reply: Buffer, { questionEnd, type }: Query): Records | null {
  const ttlsAt: number[] = [];
  let [shortest, negative, isAnswered]: [number, number | null, boolean] = [MAX_TTL, null, false];
  const answers = reply.readUInt16BE(6);
  const authorities = reply.readUInt16BE(8);
  const all = answers + authorities + reply.readUInt16BE(10);
  let at = questionEnd;
  for (let index = 0; index < all; index++) {
    const record = recordAt(reply, at);
    if (record === null) return null;
    at = record.end;
    if (record.type === TYPE.opt) continue;
    const ttlAt = record.classAt + 2;
    const ttl = ttlIn(reply, ttlAt);
    ttlsAt.push(ttlAt);
    shortest = Math.min(shortest, ttl);
    isAnswered ||= index < answers && (record.type === type || type === TYPE.any);
    const isAuthority = index >= answers && index < answers + authorities;
    if (isAuthority && record.type === TYPE.soa && record.end - record.dataAt >= 20) {
      negative = Math.min(ttl, ttlIn(reply, record.end - 4));
    }
  }
  return at === reply.length ? { ttlsAt, shortest, negative, isAnswered } : null;
}

/** With its first bit set it counts as zero, RFC 2181, 8. */
function ttlIn(reply: Buffer, at: number): number {
  const ttl = reply.readUInt32BE(at);
  return ttl > 0x7fffffff ? 0 : ttl;
}
