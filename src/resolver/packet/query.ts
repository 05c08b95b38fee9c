/** Reads the question that a client sends. */
import { CODE, endOfName, FLAG, HEADER_BYTES, recordAt, TYPE } from './wire.ts';

interface Edns {
  /** What the client takes over UDP. */
  readonly size: number;
  readonly version: number;
  /** It asks for signatures (RFC 3225). */
  readonly signed: boolean;
}

export interface Query {
  readonly id: number;
  readonly flags: number;
  /** In small letters, without the last dot; labels with bytes that no name of ours has are escaped. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  readonly questionEnd: number;
  readonly edns: Edns | null;
  /** Nothing in it is for one server or client alone: the answer is the same for all that ask so. */
  readonly isPlain: boolean;
}

/** What a packet is that is no question: an answer with that code, or nothing at all. */
export interface NoQuery {
  readonly code: number | null;
}

const NO_PACKET: NoQuery = { code: null };
const MALFORMED: NoQuery = { code: CODE.format };
/** OPT, and a signature of the transaction (RFC 8945). */
const MAX_ADDITIONAL = 2;
/** A question has one name; options make it longer, but not by that much. What waits for a server is kept in memory. */
export const MAX_QUESTION_BYTES = 4096;

export function isQuery(read: Query | NoQuery): read is Query {
  return 'name' in read;
}

export function readQuery(bytes: Buffer): Query | NoQuery {
  if (bytes.length < HEADER_BYTES) return NO_PACKET;
  if (bytes.length > MAX_QUESTION_BYTES) return MALFORMED;
  const flags = bytes.readUInt16BE(2);
  // Answering answers, two programs could go on for ever.
  if ((flags & FLAG.response) !== 0) return NO_PACKET;
  if ((flags & FLAG.opcode) !== 0) return { code: CODE.notImplemented };
  const additional = bytes.readUInt16BE(10);
  if (bytes.readUInt16BE(4) !== 1 || bytes.readUInt32BE(6) !== 0 || additional > MAX_ADDITIONAL) return MALFORMED;
  const nameEnd = endOfName(bytes, HEADER_BYTES);
  const questionEnd = nameEnd + 4;
  if (nameEnd < 0 || questionEnd > bytes.length || bytes[nameEnd - 1] !== 0) return MALFORMED;
  const options = readOptions(bytes, questionEnd, additional);
  if (options === null) return MALFORMED;
  return {
    id: bytes.readUInt16BE(0),
    flags,
    name: nameText(bytes, HEADER_BYTES),
    type: bytes.readUInt16BE(nameEnd),
    class: bytes.readUInt16BE(nameEnd + 2),
    questionEnd,
    ...options,
  };
}

function readOptions(bytes: Buffer, from: number, count: number): Pick<Query, 'edns' | 'isPlain'> | null {
  let edns: Edns | null = null;
  let isPlain = true;
  let at = from;
  for (let index = 0; index < count; index++) {
    const record = recordAt(bytes, at);
    if (record === null) return null;
    at = record.end;
    if (record.type !== TYPE.opt) isPlain = false;
    else if (edns !== null) return null;
    else {
      edns = {
        size: bytes.readUInt16BE(record.classAt),
        version: bytes[record.classAt + 3] as number,
        signed: ((bytes[record.classAt + 4] as number) & 0x80) !== 0,
      };
      isPlain &&= record.end === record.dataAt;
    }
  }
  return at === bytes.length ? { edns, isPlain } : null;
}

/** A name without pointers. */
function nameText(bytes: Buffer, at: number): string {
  let text = '';
  for (let next = at; ; ) {
    const length = bytes[next] as number;
    if (length === 0) return text;
    const label = bytes.toString('latin1', next + 1, next + 1 + length);
    text += `${text === '' ? '' : '.'}${label.toLowerCase().replace(/[^!-~]|[.\\]/g, escaped)}`;
    next += 1 + length;
  }
}

const escaped = (character: string): string => `\\${character.charCodeAt(0).toString().padStart(3, '0')}`;
