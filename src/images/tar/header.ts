/**
 * Tar headers: POSIX ustar with pax records (IEEE 1003.1 pax), GNU long names, and the plain v7 form.
 *
 * We decode them ourselves because names and extended attributes are bytes: tar-stream makes UTF-8 text of pax values,
 * which destroys `security.capability`, and writes ids over 2097151 wrong. Byte strings are kept as latin1 text, one
 * character a byte; {@link toBytes} and {@link fromBytes} convert.
 */
import { TsdError } from '../../model/errors/errors.ts';

export const BLOCK = 512;

export type TarType = 'file' | 'link' | 'symlink' | 'character-device' | 'block-device' | 'directory' | 'fifo';

export interface TarHeader {
  /** Byte string, as in the archive: may be absolute, have `..`, or end with a slash. */
  readonly name: string;
  readonly type: TarType;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanos: number;
  /** Byte string; target of a link or symlink. */
  readonly linkname: string;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: ReadonlyMap<string, Buffer>;
  /** The archive has only parts of it: its bytes are not in one piece there. */
  readonly sparse?: true;
}

/** Pax records by keyword; values are raw bytes. */
export type PaxRecords = ReadonlyMap<string, Buffer>;

export const toBytes = (text: string): Buffer => Buffer.from(text, 'latin1');
export const fromBytes = (bytes: Buffer): string => bytes.toString('latin1');
/** A byte string for a person. */
export const readable = (text: string): string => toBytes(text).toString('utf8');

export function invalidTar(message: string): TsdError {
  return new TsdError('TSD_IMAGE_INVALID', `bad tar: ${message}`, { step: 'read tar' });
}

/** An old GNU sparse file, whose size is that of what is stored. */
export const OLD_GNU_SPARSE = 'S';

const TYPES: ReadonlyMap<string, TarType> = new Map([
  ['\0', 'file'],
  ['0', 'file'],
  ['7', 'file'],
  [OLD_GNU_SPARSE, 'file'],
  ['1', 'link'],
  ['2', 'symlink'],
  ['3', 'character-device'],
  ['4', 'block-device'],
  ['5', 'directory'],
  ['6', 'fifo'],
]);

/** Entries that describe the next one (or all that follow) instead of a file. */
export type MetaType = 'pax' | 'pax-global' | 'gnu-name' | 'gnu-linkname';
const META_TYPES: ReadonlyMap<string, MetaType> = new Map([
  ['x', 'pax'],
  ['g', 'pax-global'],
  ['L', 'gnu-name'],
  ['K', 'gnu-linkname'],
]);

type RawHeader =
  | { readonly meta: MetaType; readonly size: number }
  /** `flag`: with NUL, a name that ends with a slash makes it a directory (v7). */
  | { readonly meta: null; readonly flag: string; readonly header: TarHeader };

function field(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return block.toString('latin1', start, end < 0 || end > start + length ? start + length : end);
}

/** A number in octal text or GNU base-256. */
export function numberField(block: Buffer, start: number, length: number, what: string): number {
  const first = block.readUInt8(start);
  if (first >= 0x80) {
    let value = BigInt.asIntN(7, BigInt(first & 0x7f));
    for (let at = start + 1; at < start + length; at++) value = value * 256n + BigInt(block.readUInt8(at));
    const result = Number(value);
    if (!Number.isSafeInteger(result)) throw invalidTar(`${what} is out of range`);
    return result;
  }
  const text = field(block, start, length).trim();
  if (text === '') return 0;
  if (!/^[0-7]+$/.test(text)) throw invalidTar(`${what} is not a number`);
  return Number.parseInt(text, 8);
}

/** Sum of the bytes with the checksum field taken as spaces. */
export function checksum(block: Buffer): number {
  let sum = 8 * 32;
  for (let at = 0; at < 148; at++) sum += block[at] as number;
  for (let at = 156; at < BLOCK; at++) sum += block[at] as number;
  return sum;
}

/** @returns null for a block of zeros. @throws TSD_IMAGE_INVALID. */
export function decodeHeader(block: Buffer): RawHeader | null {
  const sum = checksum(block);
  if (sum === 8 * 32 && block.every((byte) => byte === 0)) return null;
  if (sum !== numberField(block, 148, 8, 'checksum')) throw invalidTar('wrong header checksum');
  const flag = String.fromCharCode(block.readUInt8(156));
  const size = numberField(block, 124, 12, 'size');
  if (size < 0) throw invalidTar('negative size');
  const meta = META_TYPES.get(flag);
  if (meta !== undefined) return { meta, size };
  let name = field(block, 0, 100);
  if (block.toString('latin1', 257, 263) === 'ustar\0' && block[345] !== 0) name = `${field(block, 345, 155)}/${name}`;
  const type = TYPES.get(flag);
  if (type === undefined) throw invalidTar(`unknown entry type ${JSON.stringify(flag)} of ${readable(name)}`);
  const device = type === 'character-device' || type === 'block-device';
  const header: TarHeader = {
    name,
    type,
    mode: numberField(block, 100, 8, 'mode') & 0o7777,
    uid: numberField(block, 108, 8, 'uid'),
    gid: numberField(block, 116, 8, 'gid'),
    size: type === 'file' ? size : 0,
    mtimeSeconds: numberField(block, 136, 12, 'mtime'),
    mtimeNanos: 0,
    linkname: field(block, 157, 100),
    major: device ? numberField(block, 329, 8, 'device major') : 0,
    minor: device ? numberField(block, 337, 8, 'device minor') : 0,
    xattrs: new Map(),
  };
  return { meta: null, flag, header };
}

/** Decodes `length keyword=value\n` records. */
export function decodePax(bytes: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (const [keyword, value] of paxRecords(bytes)) records.set(keyword, value);
  return records;
}

/** The same as they are there, one keyword perhaps several times. */
export function* paxRecords(bytes: Buffer): Generator<readonly [keyword: string, value: Buffer]> {
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const digits = space < 0 ? '' : bytes.toString('latin1', at, space);
    const length = /^\d{1,9}$/.test(digits) ? Number(digits) : 0;
    const end = at + length;
    const equals = bytes.indexOf(0x3d, space);
    if (length === 0 || end > bytes.length || bytes[end - 1] !== 0x0a || equals < 0 || equals >= end) {
      throw invalidTar('malformed pax record');
    }
    yield [bytes.toString('utf8', space + 1, equals), bytes.subarray(equals + 1, end - 1)];
    at = end;
  }
}

const XATTR_PREFIX = 'SCHILY.xattr.';

export function decimalValue(value: Buffer, what: string): number {
  const text = fromBytes(value);
  const result = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(result)) throw invalidTar(`pax ${what} is not a number`);
  return result;
}

function paxTime(value: Buffer): { mtimeSeconds: number; mtimeNanos: number } {
  const match = /^(-?)(\d{1,15})(?:\.(\d*))?$/.exec(fromBytes(value));
  if (match === null) throw invalidTar('pax mtime is not a number');
  const nanos = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  const seconds = Number(match[2]);
  if (match[1] === '') return { mtimeSeconds: seconds, mtimeNanos: nanos };
  return nanos === 0
    ? { mtimeSeconds: -seconds, mtimeNanos: 0 }
    : { mtimeSeconds: -seconds - 1, mtimeNanos: 1e9 - nanos };
}

/** The header with what pax records say about it. */
export function applyPax(header: TarHeader, records: PaxRecords): TarHeader {
  const changed: { -readonly [K in keyof TarHeader]?: TarHeader[K] } = {};
  const xattrs = new Map<string, Buffer>();
  for (const [keyword, value] of records) {
    if (keyword === 'path') changed.name = fromBytes(value);
    else if (keyword === 'linkpath') changed.linkname = fromBytes(value);
    else if (keyword === 'size') changed.size = header.type === 'file' ? decimalValue(value, 'size') : 0;
    else if (keyword === 'uid') changed.uid = decimalValue(value, 'uid');
    else if (keyword === 'gid') changed.gid = decimalValue(value, 'gid');
    else if (keyword === 'mtime') Object.assign(changed, paxTime(value));
    else if (keyword.startsWith(XATTR_PREFIX)) xattrs.set(keyword.slice(XATTR_PREFIX.length), Buffer.from(value));
  }
  const merged = { ...header, ...changed, ...(xattrs.size > 0 && { xattrs }) };
  if (merged.size < 0) throw invalidTar('negative size');
  return merged;
}
