/** libzstd(3): streaming decompression. Node's own comes with a later major than the oldest one supported. */
import { TsdError } from '../../model/errors/errors.ts';
import { addressOf, callNumber, callString, openLibrary } from '../call/foreign.ts';
import type { StreamDecompressor } from './stream-decompressor.ts';

const LIBRARY = 'zstd';
/** ZSTD_d_windowLogMax of zstd.h, and the largest window that is decompressed: 128 MiB, zstd's own default. */
const ZSTD_D_WINDOW_LOG_MAX = 100;
const WINDOW_LOG_MAX = 27;
const OUTPUT_BYTES = 256 * 1024;
/** ZSTD_inBuffer and ZSTD_outBuffer are { pointer, size_t size, size_t position }. */
const STRUCT_BYTES = 24;
const SIZE_AT = 8;
const POSITION_AT = 16;

/** One decompression; frames may follow each other. */
export class ZstdDecompressor implements StreamDecompressor {
  readonly #context: number;
  readonly #output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  readonly #in = Buffer.alloc(STRUCT_BYTES);
  readonly #out = Buffer.alloc(STRUCT_BYTES);
  /** What the library still expects; 0 at the end of a frame. */
  #expected = 0;
  #closed = false;

  /** @throws TsdError TSD_UNSUPPORTED_HOST when libzstd is not installed. */
  constructor() {
    openLibrary(LIBRARY, 'libzstd.so.1');
    this.#context = callNumber(LIBRARY, 'ZSTD_createDStream', []);
    if (this.#context === 0) throw new TsdError('TSD_IMAGE_INVALID', 'no memory for zstd', { class: 'exhausted' });
    callNumber(LIBRARY, 'ZSTD_DCtx_setParameter', [this.#context, ZSTD_D_WINDOW_LOG_MAX, WINDOW_LOG_MAX]);
  }

  *push(piece: Buffer): Generator<Buffer> {
    if (piece.length === 0) return;
    this.#in.writeBigInt64LE(BigInt(addressOf(piece)), 0);
    this.#in.writeBigInt64LE(BigInt(piece.length), SIZE_AT);
    this.#in.writeBigInt64LE(0n, POSITION_AT);
    for (;;) {
      this.#out.writeBigInt64LE(BigInt(addressOf(this.#output)), 0);
      this.#out.writeBigInt64LE(BigInt(OUTPUT_BYTES), SIZE_AT);
      this.#out.writeBigInt64LE(0n, POSITION_AT);
      const result = callNumber(LIBRARY, 'ZSTD_decompressStream', [this.#context, this.#out, this.#in]);
      // An error is a small negative number as size_t.
      if (result < 0) throw brokenZstd(callString(LIBRARY, 'ZSTD_getErrorName', [result]));
      this.#expected = result;
      const filled = Number(this.#out.readBigInt64LE(POSITION_AT));
      if (filled > 0) yield Buffer.from(this.#output.subarray(0, filled));
      const consumed = Number(this.#in.readBigInt64LE(POSITION_AT)) === piece.length;
      // A full output may have more behind it, but not once the frame has ended: the next call would begin another.
      if (consumed && (result === 0 || filled < OUTPUT_BYTES)) return;
    }
  }

  finish(): Buffer[] {
    if (this.#expected !== 0) throw brokenZstd('it is cut off');
    return [];
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    callNumber(LIBRARY, 'ZSTD_freeDStream', [this.#context]);
  }
}

function brokenZstd(reason: string): TsdError {
  return new TsdError('TSD_IMAGE_INVALID', `broken zstd data: ${reason}`, { step: 'read archive' });
}
