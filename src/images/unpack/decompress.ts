import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { ZstdDecompressor } from '../../ffi/zstd.ts';
import { TsdError } from '../../model/errors.ts';

type Compression = 'none' | 'gzip' | 'zstd';

/** RFC 1952, RFC 8878, and the formats people try: xz, bzip2. */
const MAGIC: readonly { readonly bytes: Buffer; readonly format: 'gzip' | 'zstd' | 'xz' | 'bzip2' }[] = [
  { bytes: Buffer.from([0x1f, 0x8b]), format: 'gzip' },
  { bytes: Buffer.from([0x28, 0xb5, 0x2f, 0xfd]), format: 'zstd' },
  { bytes: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]), format: 'xz' },
  { bytes: Buffer.from('BZh'), format: 'bzip2' },
];
export const MAGIC_BYTES = 6;

/** @throws TSD_NOT_IN_THIS_VERSION for a compression that is recognised and cannot be read. */
export function detectCompression(start: Buffer): Compression {
  const found = MAGIC.find(({ bytes }) => start.subarray(0, bytes.length).equals(bytes));
  if (found === undefined) return 'none';
  if (found.format === 'gzip' || found.format === 'zstd') return found.format;
  throw new TsdError('TSD_NOT_IN_THIS_VERSION', `${found.format}-compressed archives cannot be read yet`, {
    step: 'read archive',
    hint: 'Write the image with gzip or zstd compression.',
  });
}

/** The first bytes of a file, at most `length`. */
export async function readStart(path: string, length: number): Promise<Buffer> {
  const file = await open(path);
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}

/** Output comes in pieces of this size: one turn of the event loop each. */
const OUTPUT_BYTES = 256 * 1024;

/** The uncompressed bytes. @param raw sees each compressed piece. @throws TSD_IMAGE_INVALID for broken data. */
export async function* decompressed(source: Readable, raw: (piece: Buffer) => void): AsyncGenerator<Buffer> {
  const pieces = source[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  let start: Buffer = Buffer.alloc(0);
  let done = false;
  while (start.length < MAGIC_BYTES && !done) {
    const next = await pieces.next();
    if (next.done === true) done = true;
    else start = Buffer.concat([start, next.value]);
  }
  async function* input(): AsyncGenerator<Buffer> {
    if (start.length > 0) {
      raw(start);
      yield start;
    }
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) {
      raw(next.value);
      yield next.value;
    }
  }
  try {
    yield* DECOMPRESS[detectCompression(start)](input());
  } finally {
    source.destroy();
  }
}

async function* gunzip(input: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const compressed = Readable.from(input, { objectMode: false });
  const gunzipped = createGunzip({ chunkSize: OUTPUT_BYTES });
  compressed.on('error', (error) => gunzipped.destroy(error));
  try {
    yield* compressed.pipe(gunzipped);
  } catch (cause) {
    if (typeof (cause as NodeJS.ErrnoException).code !== 'string' || !/^Z_/.test((cause as { code: string }).code)) {
      throw cause;
    }
    throw new TsdError('TSD_IMAGE_INVALID', `broken gzip data: ${(cause as Error).message}`, {
      step: 'read archive',
      cause,
    });
  } finally {
    compressed.destroy();
    gunzipped.destroy();
  }
}

async function* unzstd(input: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const zstd = new ZstdDecompressor();
  try {
    for await (const piece of input) yield* zstd.push(piece);
    zstd.finish();
  } finally {
    zstd.close();
  }
}

const DECOMPRESS = { none: (input: AsyncGenerator<Buffer>) => input, gzip: gunzip, zstd: unzstd } as const;
