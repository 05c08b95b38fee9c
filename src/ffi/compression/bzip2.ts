/** libbz2: streaming decompression of bzip2. It is on every Debian, because dpkg needs it. */
import { TsdError } from '../../model/errors/errors.ts';
import { addressOf, callNumber, openLibrary } from '../call/foreign.ts';
import type { StreamDecompressor } from './stream-decompressor.ts';

const LIBRARY = 'bz2';
const OUTPUT_BYTES = 256 * 1024;
/** bzlib.h, bz_stream */
const STREAM_BYTES = 80;
const NEXT_IN = 0;
const AVAIL_IN = 8;
const NEXT_OUT = 24;
const AVAIL_OUT = 32;
const OK = 0;
const STREAM_END = 4;
const MAGIC_ERROR = -5;

/** One decompression; streams may follow each other, as parallel compressors write them. */
export class Bzip2Decompressor implements StreamDecompressor {
  /** libbz2 keeps its address: it must not move, which memory outside of the JavaScript heap does not. */
  readonly #stream = Buffer.allocUnsafeSlow(STREAM_BYTES).fill(0);
  readonly #output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  /** Between the beginning and the end of a stream. */
  #open = false;
  #streams = 0;

  /** @throws TsdError TSD_UNSUPPORTED_HOST when libbz2 is not installed. */
  constructor() {
    openLibrary(LIBRARY, 'libbz2.so.1.0');
  }

  *push(piece: Buffer): Generator<Buffer> {
    const stream = this.#stream;
    for (let at = 0; at < piece.length; ) {
      this.#begin();
      const rest = piece.subarray(at);
      stream.writeBigInt64LE(BigInt(addressOf(rest)), NEXT_IN);
      stream.writeUInt32LE(rest.length, AVAIL_IN);
      yield* this.#decompress();
      at = piece.length - stream.readUInt32LE(AVAIL_IN);
    }
  }

  finish(): Buffer[] {
    if (this.#open || this.#streams === 0) throw brokenBzip2('it is cut off');
    return [];
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    callNumber(LIBRARY, 'BZ2_bzDecompressEnd', [this.#stream]);
  }

  #begin(): void {
    if (this.#open) return;
    this.#stream.fill(0);
    const result = int(callNumber(LIBRARY, 'BZ2_bzDecompressInit', [this.#stream, 0, 0]));
    if (result !== OK) throw brokenBzip2(`libbz2 says ${result}`);
    this.#open = true;
    this.#streams += 1;
  }

  /** Takes the input up to its end, or up to the end of the stream. */
  *#decompress(): Generator<Buffer> {
    const stream = this.#stream;
    for (;;) {
      stream.writeBigInt64LE(BigInt(addressOf(this.#output)), NEXT_OUT);
      stream.writeUInt32LE(OUTPUT_BYTES, AVAIL_OUT);
      const result = int(callNumber(LIBRARY, 'BZ2_bzDecompress', [stream]));
      const filled = OUTPUT_BYTES - stream.readUInt32LE(AVAIL_OUT);
      if (filled > 0) yield Buffer.from(this.#output.subarray(0, filled));
      if (result === STREAM_END) {
        this.close();
        return;
      }
      if (result !== OK) {
        throw brokenBzip2(result === MAGIC_ERROR ? 'what follows is no bzip2 stream' : 'it is damaged');
      }
      // A full output may have more behind it.
      if (stream.readUInt32LE(AVAIL_IN) === 0 && filled < OUTPUT_BYTES) return;
    }
  }
}

/** An int comes back with undefined upper half. */
const int = (result: number): number => result | 0;

function brokenBzip2(reason: string): TsdError {
  return new TsdError('TSD_IMAGE_INVALID', `broken bzip2 data: ${reason}`, { step: 'read archive' });
}
