/** Frames of RFC 6455, as a server reads and writes them. Pure. */
import { createHash } from 'node:crypto';

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** Status codes of a close frame. */
export const CLOSE = { normal: 1000, protocolError: 1002 } as const;

/** RFC 6455, section 1.3 */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
export const acceptOf = (key: string): string => createHash('sha1').update(`${key}${GUID}`).digest('base64');

const FIN = 0x80;
const RESERVED = 0x70;
const MASKED = 0x80;
const MASK_BYTES = 4;
const MAX_CONTROL_BYTES = 125;

export function frame(opcode: number, payload: Buffer): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 2 ** 16 ? 4 : 10);
  head[0] = FIN | opcode;
  if (length < 126) head[1] = length;
  else if (length < 2 ** 16) {
    head[1] = 126;
    head.writeUInt16BE(length, 2);
  } else {
    head[1] = 127;
    head.writeBigUInt64BE(BigInt(length), 2);
  }
  return Buffer.concat([head, payload]);
}

export function closeFrame(status: number): Buffer {
  const payload = Buffer.alloc(2);
  payload.writeUInt16BE(status, 0);
  return frame(OPCODE.close, payload);
}

interface Head {
  readonly opcode: number;
  readonly mask: Buffer;
  readonly length: number;
  /** Of the payload, that have come. */
  taken: number;
}

/** What a client said: bytes of its messages, or a control frame. */
export type Received =
  | { readonly type: 'bytes'; readonly bytes: Buffer }
  | { readonly type: 'ping'; readonly payload: Buffer }
  | { readonly type: 'close' }
  /** The client speaks another language: nothing more of it is read. */
  | { readonly type: 'invalid' };

/** Null while it is not complete. */
function headOf(bytes: Buffer): { readonly head: Head; readonly bytes: number } | 'invalid' | null {
  const [first, second] = bytes;
  if (first === undefined || second === undefined) return null;
  const opcode = first & 0x0f;
  const short = second & 0x7f;
  const isControl = opcode >= OPCODE.close;
  const isKnown = Object.values(OPCODE).some((known) => known === opcode);
  const isSound = (first & RESERVED) === 0 && (second & MASKED) !== 0 && isKnown;
  if (!isSound || (isControl && (short > MAX_CONTROL_BYTES || (first & FIN) === 0))) return 'invalid';
  const extended = short === 126 ? 2 : short === 127 ? 8 : 0;
  const at = 2 + extended;
  if (bytes.length < at + MASK_BYTES) return null;
  const length = extended === 0 ? short : extended === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (!Number.isSafeInteger(length)) return 'invalid';
  return { head: { opcode, mask: bytes.subarray(at, at + MASK_BYTES), length, taken: 0 }, bytes: at + MASK_BYTES };
}

function unmasked(bytes: Buffer, { mask, taken }: Head): Buffer {
  const plain = Buffer.from(bytes);
  for (let index = 0; index < plain.length; index++)
    plain[index] = (plain[index] ?? 0) ^ (mask[(taken + index) % MASK_BYTES] ?? 0);
  return plain;
}

/** Reads the frames of a client as they come. Of a long message no more is kept than what has just come. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  #head: Head | null = null;
  #control: Buffer = Buffer.alloc(0);
  #ended = false;

  take(chunk: Buffer): readonly Received[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const found: Received[] = [];
    for (let next = this.#next(); next !== null && !this.#ended; next = this.#next()) {
      if (next.type !== 'bytes' || next.bytes.length > 0) found.push(next);
      this.#ended = next.type === 'close' || next.type === 'invalid';
    }
    return found;
  }

  /** Null when more has to come first. */
  #next(): Received | null {
    if (this.#head === null) {
      const found = headOf(this.#rest);
      if (found === null) return null;
      if (found === 'invalid') return { type: 'invalid' };
      this.#head = found.head;
      this.#rest = this.#rest.subarray(found.bytes);
    } else if (this.#rest.length === 0) return null;
    const head = this.#head;
    const part = unmasked(this.#rest.subarray(0, head.length - head.taken), head);
    this.#rest = this.#rest.subarray(part.length);
    head.taken += part.length;
    const isComplete = head.taken === head.length;
    if (isComplete) this.#head = null;
    if (head.opcode < OPCODE.close) return { type: 'bytes', bytes: part };
    this.#control = Buffer.concat([this.#control, part]);
    return isComplete ? this.#endOfControl(head.opcode) : { type: 'bytes', bytes: Buffer.alloc(0) };
  }

  #endOfControl(opcode: number): Received {
    const payload = this.#control;
    this.#control = Buffer.alloc(0);
    if (opcode === OPCODE.close) return { type: 'close' };
    return opcode === OPCODE.ping ? { type: 'ping', payload } : { type: 'bytes', bytes: Buffer.alloc(0) };
  }
}
