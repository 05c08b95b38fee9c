/** A recipe file: gzip of a magic line, then frames, numbers little-endian. */

export const MAGIC = Buffer.from('tsdocker recipe 1\n');
/** u8 type, u32 length, bytes as they are in the tar. */
export const RAW_FRAME = 0;
/** u8 type, u64 size, u16 length of the path, path below the layer's directory: the tar has the file's content here. */
export const FILE_FRAME = 1;
/** u8 type, u64 size, u64 offset, u16 length of the path, path: the tar has a part of the file's content here. */
export const PART_FRAME = 2;

export const RAW_HEAD_BYTES = 5;
export const FILE_HEAD_BYTES = 11;
export const PART_HEAD_BYTES = 19;

export function rawFrame(bytes: Buffer): Buffer {
  const head = Buffer.alloc(RAW_HEAD_BYTES);
  head.writeUInt8(RAW_FRAME, 0);
  head.writeUInt32LE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

export function fileFrame(path: Buffer, size: number): Buffer {
  const head = Buffer.alloc(FILE_HEAD_BYTES);
  head.writeUInt8(FILE_FRAME, 0);
  head.writeBigUInt64LE(BigInt(size), 1);
  head.writeUInt16LE(path.length, 9);
  return Buffer.concat([head, path]);
}

export function partFrame(path: Buffer, size: number, offset: number): Buffer {
  const head = Buffer.alloc(PART_HEAD_BYTES);
  head.writeUInt8(PART_FRAME, 0);
  head.writeBigUInt64LE(BigInt(size), 1);
  head.writeBigUInt64LE(BigInt(offset), 9);
  head.writeUInt16LE(path.length, 17);
  return Buffer.concat([head, path]);
}
