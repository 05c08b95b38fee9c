import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { Bzip2Decompressor } from '../../ffi/compression/bzip2.ts';
import { XzDecompressor } from '../../ffi/compression/lzma.ts';
import type { StreamDecompressor } from '../../ffi/compression/stream-decompressor.ts';
import { ZstdDecompressor } from '../../ffi/compression/zstd.ts';
import { TsdError } from '../../model/errors/errors.ts';

type Compression = 'none' | 'gzip' | 'zstd' | 'xz' | 'bzip2';

/** RFC 1952, RFC 8878, the .xz file format, and bzip2 with the mark of its first block, in hexadecimal. */
const MAGIC: readonly (readonly [Compression, RegExp])[] = [
  ['gzip', /^1f8b/],
  ['zstd', /^28b52ffd/],
  ['xz', /^fd377a585a00/],
  ['bzip2', /^425a683[1-9](3141|1772)/],
];
export const MAGIC_BYTES = 6;

/** @param start at least {@link MAGIC_BYTES}, or all there is. */
export function detectCompression(start: Buffer): Compression {
  const text = start.toString('hex', 0, MAGIC_BYTES);
  return MAGIC.find(([, magic]) => magic.test(text))?.[0] ?? 'none';
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

/** Libraries that are called: what they decompress in one turn of the event loop is a piece of input at most. */
const withLibrary = (make: () => StreamDecompressor) =>
  async function* (input: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
    const decompressor = make();
    try {
      for await (const piece of input) yield* decompressor.push(piece);
      yield* decompressor.finish();
    } finally {
      decompressor.close();
    }
  };

const DECOMPRESS: Readonly<Record<Compression, (input: AsyncGenerator<Buffer>) => AsyncIterable<Buffer>>> = {
  none: (input) => input,
  gzip: gunzip,
  zstd: withLibrary(() => new ZstdDecompressor()),
  xz: withLibrary(() => new XzDecompressor()),
  bzip2: withLibrary(() => new Bzip2Decompressor()),
};
