/**
 * The parts of a DNS message that are read from bytes as they are: what is passed on has to come back byte for byte, and
 * nothing that a packet says may cost more than its length. RFC 1035, 4.
 */

export const HEADER_BYTES = 12;
const MAX_NAME_BYTES = 255;

export const FLAG = {
  response: 0x8000,
  opcode: 0x7800,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  code: 0x000f,
} as const;

export const CODE = { ok: 0, format: 1, failed: 2, noSuchName: 3, notImplemented: 4, refused: 5 } as const;

export const TYPE = {
  a: 1,
  cname: 5,
  soa: 6,
  ptr: 12,
  aaaa: 28,
  opt: 41,
  ixfr: 251,
  axfr: 252,
  any: 255,
} as const;

export const CLASS_IN = 1;

const POINTER = 0xc0;

/** Where a name ends that stands at `at`, without following a pointer; -1 where there is none. */
export function endOfName(bytes: Buffer, at: number): number {
  const limit = Math.min(bytes.length, at + MAX_NAME_BYTES + 1);
  for (let next = at; next < limit; ) {
    const length = bytes[next] as number;
    if (length === 0) return next + 1;
    if ((length & POINTER) === POINTER) return next + 2 <= bytes.length ? next + 2 : -1;
    if ((length & POINTER) !== 0) return -1;
    next += 1 + length;
  }
  return -1;
}

export interface RecordPlace {
  readonly type: number;
  /** Of the class, which with the time to live and the length of the data comes after the type. */
  readonly classAt: number;
  readonly dataAt: number;
  readonly end: number;
}

/** The record that stands at `at`; null where there is none. */
export function recordAt(bytes: Buffer, at: number): RecordPlace | null {
  const name = endOfName(bytes, at);
  if (name < 0 || name + 10 > bytes.length) return null;
  const dataAt = name + 10;
  const end = dataAt + bytes.readUInt16BE(name + 8);
  return end > bytes.length ? null : { type: bytes.readUInt16BE(name), classAt: name + 2, dataAt, end };
}
