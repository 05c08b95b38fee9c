import { BLOCK, checksum, fromBytes, type TarHeader, type TarType, toBytes } from './header.ts';

const TYPE_FLAGS: Readonly<Record<TarType, string>> = {
  file: '0',
  link: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
};
const PAX_FLAG = 'x';
const MAX_OCTAL_7 = 0o7777777;
const MAX_OCTAL_11 = 0o77777777777;
const NAME_BYTES = 100;

/** End of archive: two blocks of zeros. */
export const END_OF_ARCHIVE = Buffer.alloc(2 * BLOCK);

/** Zeros after a file of this size. */
export function paddingAfter(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

/**
 * Header blocks of an entry: ustar, preceded by pax records for what ustar cannot say. The same header always gives the
 * same bytes.
 */
export function encodeHeader(header: TarHeader): Buffer {
  const records = paxRecords(header);
  if (records.length === 0) return ustar(header, TYPE_FLAGS[header.type], header.size);
  return withPax(header, Buffer.concat(records));
}

function withPax(header: TarHeader, body: Buffer): Buffer {
  const pax = { ...header, name: 'pax', linkname: '', mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 0 };
  const blocks = [ustar(pax, PAX_FLAG, body.length), body, paddingAfter(body.length)];
  return Buffer.concat([...blocks, ustar(header, TYPE_FLAGS[header.type], header.size)]);
}

/**
 * Header blocks of a file of which the archive has the parts with data only, in the form that GNU tar's manual calls pax 1.0.
 * @param stored bytes that follow: the map, filled up to a block, and the data.
 */
export function encodeSparseHeader(header: TarHeader, stored: number): Buffer {
  const slash = header.name.lastIndexOf('/') + 1;
  const name = `GNUSparseFile.0/${header.name.slice(slash)}`.slice(0, NAME_BYTES);
  const record = (keyword: string, value: Buffer | string): Buffer =>
    paxRecord(`GNU.sparse.${keyword}`, Buffer.from(value));
  const body = Buffer.concat([
    record('major', '1'),
    record('minor', '0'),
    record('name', toBytes(header.name)),
    record('realsize', String(header.size)),
    ...paxRecords({ ...header, name, size: stored }),
  ]);
  return withPax({ ...header, name, size: stored }, body);
}

function paxRecords(header: TarHeader): Buffer[] {
  const records: Buffer[] = [];
  const add = (keyword: string, value: Buffer | string): void => {
    records.push(paxRecord(keyword, Buffer.from(value)));
  };
  if (header.name.length > NAME_BYTES) add('path', toBytes(header.name));
  if (header.linkname.length > NAME_BYTES) add('linkpath', toBytes(header.linkname));
  if (header.size > MAX_OCTAL_11) add('size', String(header.size));
  if (header.uid > MAX_OCTAL_7) add('uid', String(header.uid));
  if (header.gid > MAX_OCTAL_7) add('gid', String(header.gid));
  if (header.mtimeNanos !== 0 || header.mtimeSeconds < 0 || header.mtimeSeconds > MAX_OCTAL_11) {
    add('mtime', decimalTime(header.mtimeSeconds, header.mtimeNanos));
  }
  for (const name of [...header.xattrs.keys()].sort()) {
    add(`SCHILY.xattr.${name}`, header.xattrs.get(name) as Buffer);
  }
  return records;
}

/** `length keyword=value\n`, where length counts itself. */
function paxRecord(keyword: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${keyword}=`), value, Buffer.from('\n')]);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function decimalTime(seconds: number, nanos: number): string {
  const total = BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
  const magnitude = total < 0n ? -total : total;
  const text = `${magnitude / 1_000_000_000n}.${String(magnitude % 1_000_000_000n).padStart(9, '0')}`;
  return (total < 0n ? '-' : '') + text.replace(/\.?0+$/, '');
}

function ustar(header: TarHeader, flag: string, size: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  const text = (value: string, at: number, length: number): void => {
    block.write(value.slice(0, length), at, 'latin1');
  };
  const octal = (value: number, at: number, length: number): void => {
    const digits = length - 1;
    const inRange = value >= 0 && value < 8 ** digits;
    block.write((inRange ? value : 0).toString(8).padStart(digits, '0'), at, 'latin1');
  };
  text(header.name, 0, NAME_BYTES);
  octal(header.mode, 100, 8);
  octal(header.uid, 108, 8);
  octal(header.gid, 116, 8);
  octal(size, 124, 12);
  octal(header.mtimeSeconds, 136, 12);
  text(flag, 156, 1);
  text(header.linkname, 157, NAME_BYTES);
  block.write('ustar\x0000', 257, 'latin1');
  octal(header.major, 329, 8);
  octal(header.minor, 337, 8);
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

/** Header with the defaults of a root-owned file; paths are byte strings made from text. */
export function tarHeader(fields: Partial<TarHeader> & Pick<TarHeader, 'type'> & { readonly path: string }): TarHeader {
  const { path, ...rest } = fields;
  return {
    name: fromBytes(Buffer.from(path)),
    mode: fields.type === 'directory' ? 0o755 : 0o644,
    uid: 0,
    gid: 0,
    size: 0,
    mtimeSeconds: 0,
    mtimeNanos: 0,
    linkname: '',
    major: 0,
    minor: 0,
    xattrs: new Map(),
    ...rest,
  };
}
