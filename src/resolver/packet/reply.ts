/** Writes answers: the library encodes the records, the question is the client's own bytes. */
import { encode, type Packet } from 'dns-packet';
import type { Query } from './query.ts';
import { FLAG, HEADER_BYTES, recordAt } from './wire.ts';

/**
 * Seconds. An update of a container may move a name at any time, and its predecessor serves on for the time it is given to
 * drain; who asks more than once a second is a server that keeps answers itself, and is spared the rest.
 */
const TTL = 1;
/** What a datagram has room for without EDNS, RFC 1035, 4.2.1. */
const PLAIN_BYTES = 512;
/** What we take, and more than what we send over UDP whatever a client says; there is no path here with a smaller MTU. */
const EDNS_BYTES = 1232;
const MAX_DATAGRAM_BYTES = 4096;
/** What the length before a message by TCP can say, RFC 1035, 4.2.2. */
const MAX_STREAM_BYTES = 65_535;
/** No message has room for so many records: each has 14 bytes before its address. */
const MAX_RECORDS = 4_096;
const POINTER_TO_QUESTION = 0xc000 | HEADER_BYTES;

export interface LocalRecord {
  readonly type: 'A' | 'AAAA' | 'PTR';
  readonly data: string;
}

/** What is answered from names. */
export interface LocalAnswer {
  readonly code: number;
  readonly records: readonly LocalRecord[];
}

/** An answer with all its records, which any client that sent the same bytes may have. */
export interface Prepared {
  readonly bytes: Buffer;
  /** Where each record begins, and where the last one ends. */
  readonly places: readonly number[];
  readonly edns: Buffer | null;
  /** What a datagram to the client has room for. */
  readonly room: number;
}

/** OPT of a reply: with the extended part of the code, and the client's wish for signatures (RFC 6891, 6.1.3, RFC 3225). */
function ednsBytes(extendedCode: number, signed: boolean): Buffer {
  const options = {
    type: 'OPT',
    name: '.',
    udpPayloadSize: EDNS_BYTES,
    extendedRcode: extendedCode,
    ednsVersion: 0,
    flags: signed ? 0x8000 : 0,
    flag_do: signed,
    options: [],
  };
  // The types of dns-packet want members that it writes with values of its own.
  return encode({ additionals: [options] } as unknown as Packet).subarray(HEADER_BYTES);
}

const EDNS = { plain: ednsBytes(0, false), signed: ednsBytes(0, true), badVersion: ednsBytes(1, false) };

function ednsOf({ edns }: Query): Buffer | null {
  if (edns === null) return null;
  if (edns.version !== 0) return EDNS.badVersion;
  return edns.signed ? EDNS.signed : EDNS.plain;
}

/** What a datagram to this client has room for. */
export function roomFor({ edns }: Query): number {
  return edns === null ? PLAIN_BYTES : Math.min(Math.max(edns.size, PLAIN_BYTES), MAX_DATAGRAM_BYTES);
}

/** Bytes of the records, each with the name of the question as its owner; the library itself does not compress. */
function recordBytes(records: readonly LocalRecord[]): Buffer[] {
  const answers = records.map(({ type, data }) => ({ type, data, name: '.', class: 'IN' as const, ttl: TTL }));
  const encoded = encode({ type: 'response', answers } as Packet);
  const owner = Buffer.alloc(2);
  owner.writeUInt16BE(POINTER_TO_QUESTION);
  const pieces: Buffer[] = [];
  for (let at = HEADER_BYTES; pieces.length < records.length; ) {
    const place = recordAt(encoded, at);
    if (place === null) throw new Error('a record that was encoded cannot be read');
    pieces.push(Buffer.concat([owner, encoded.subarray(at + 1, place.end)]));
    at = place.end;
  }
  return pieces;
}

/** @param asked the client's packet */
export function prepare(asked: Buffer, query: Query, { code, records: all }: LocalAnswer): Prepared {
  const records = all.slice(0, MAX_RECORDS);
  const question = asked.subarray(HEADER_BYTES, query.questionEnd);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(replyFlags(query.flags, code), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length, 6);
  const pieces = records.length === 0 ? [] : recordBytes(records);
  const places = [HEADER_BYTES + question.length];
  for (const piece of pieces) places.push((places.at(-1) as number) + piece.length);
  const edns = ednsOf(query);
  header.writeUInt16BE(edns === null ? 0 : 1, 10);
  return { bytes: Buffer.concat([header, question, ...pieces]), places, edns, room: roomFor(query) };
}

const replyFlags = (flags: number, code: number): number =>
  FLAG.response | (flags & FLAG.recursionDesired) | FLAG.recursionAvailable | code;

/**
 * The reply to one client, its records in another order each time so that all of a name's containers are used.
 * Records that have no room are left out, and the reply says so: over UDP the client then comes by TCP.
 * @param random a number from 0 up to, but not including, the given one
 */
export function replyFrom(prepared: Prepared, id: number, isUdp: boolean, random: (below: number) => number): Buffer {
  const { bytes, places, edns } = prepared;
  const count = places.length - 1;
  const tail = edns?.length ?? 0;
  const full = bytes.length + tail;
  const room = isUdp ? prepared.room : MAX_STREAM_BYTES;
  const kept = full > room ? fitting(places, room - tail) : count;
  const reply = Buffer.allocUnsafe((places[kept] as number) + tail);
  bytes.copy(reply, 0, 0, places[kept]);
  if (count > 1) placeShuffled(prepared, reply, kept, random);
  reply.writeUInt16BE(id, 0);
  if (kept < count) {
    reply.writeUInt16BE(bytes.readUInt16BE(2) | FLAG.truncated, 2);
    reply.writeUInt16BE(kept, 6);
  }
  if (edns !== null) edns.copy(reply, places[kept]);
  return reply;
}

function fitting(places: readonly number[], room: number): number {
  let kept = places.length - 1;
  while (kept > 0 && (places[kept] as number) > room) kept--;
  return kept;
}

/** Records of one answer of ours are of one size, as they have one type and owner; those of names (PTR) are only one. */
function placeShuffled(
  { bytes, places }: Prepared,
  reply: Buffer,
  kept: number,
  random: (below: number) => number,
): void {
  const order = Array.from({ length: places.length - 1 }, (_, index) => index);
  for (let index = 0; index < kept; index++) {
    const other = index + random(order.length - index);
    [order[index], order[other]] = [order[other] as number, order[index] as number];
    const from = order[index] as number;
    bytes.copy(reply, places[index], places[from], places[from + 1]);
  }
}

/** A reply without records. @param query null where the question could not be read: then it is not repeated */
export function bareReply(asked: Buffer, query: Query | null, code: number, isTruncated = false): Buffer {
  const edns = query === null ? null : ednsOf(query);
  const question = query === null ? Buffer.alloc(0) : asked.subarray(HEADER_BYTES, query.questionEnd);
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt16BE(asked.readUInt16BE(0), 0);
  const flags = replyFlags(asked.readUInt16BE(2), code) | (isTruncated ? FLAG.truncated : 0);
  header.writeUInt16BE(flags | (asked.readUInt16BE(2) & FLAG.opcode), 2);
  header.writeUInt16BE(query === null ? 0 : 1, 4);
  header.writeUInt16BE(edns === null ? 0 : 1, 10);
  return Buffer.concat(edns === null ? [header, question] : [header, question, edns]);
}
