/** liblzma: streaming decompression of xz. It is on every Debian, because dpkg needs it. */
import { TsdError } from '../../model/errors/errors.ts';
import { addressOf, callNumber, openLibrary } from '../call/foreign.ts';
import type { StreamDecompressor } from './stream-decompressor.ts';

const LIBRARY = 'lzma';
/** `xz -9` needs 65 MiB; a stream can ask for 4 GiB. */
const MEMORY_LIMIT = 96 * 1024 ** 2;
const OUTPUT_BYTES = 256 * 1024;
/** lzma/base.h, struct lzma_stream */
const STREAM_BYTES = 136;
const NEXT_IN = 0;
const AVAIL_IN = 8;
const NEXT_OUT = 24;
const AVAIL_OUT = 32;
/** lzma/container.h and lzma/base.h */
const CONCATENATED = 0x08;
const RUN = 0;
const FINISH = 3;
const OK = 0;
const STREAM_END = 1;
const BUF_ERROR = 10;
const REASONS: Readonly<Record<number, string>> = {
  5: 'no memory',
  6: `it needs more than ${MEMORY_LIMIT / 1024 ** 2} MiB of memory to decompress`,
  7: 'what follows is no xz stream',
  8: 'it uses options that liblzma does not know',
  9: 'it is damaged',
  [BUF_ERROR]: 'it is cut off',
};

/** One decompression; streams may follow each other. */
export class XzDecompressor implements StreamDecompressor {
  /** liblzma keeps pointers in it: it must not move, which memory outside of the JavaScript heap does not. */
  readonly #stream = Buffer.allocUnsafeSlow(STREAM_BYTES).fill(0);
  readonly #output = Buffer.allocUnsafeSlow(OUTPUT_BYTES);
  #closed = false;

  /** @throws TsdError TSD_UNSUPPORTED_HOST when liblzma is not installed. */
  constructor() {
    openLibrary(LIBRARY, 'liblzma.so.5');
    const result = callNumber(LIBRARY, 'lzma_stream_decoder', [this.#stream, MEMORY_LIMIT, CONCATENATED]);
    if (result !== OK) throw brokenXz(result);
  }

  *push(piece: Buffer): Generator<Buffer> {
    if (piece.length === 0) return;
    yield* this.#code(piece, RUN);
  }

  *finish(): Generator<Buffer> {
    yield* this.#code(Buffer.alloc(1), FINISH);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    callNumber(LIBRARY, 'lzma_end', [this.#stream]);
  }

  *#code(piece: Buffer, action: typeof RUN | typeof FINISH): Generator<Buffer> {
    const stream = this.#stream;
    stream.writeBigInt64LE(BigInt(addressOf(piece)), NEXT_IN);
    stream.writeBigInt64LE(BigInt(action === RUN ? piece.length : 0), AVAIL_IN);
    for (;;) {
      stream.writeBigInt64LE(BigInt(addressOf(this.#output)), NEXT_OUT);
      stream.writeBigInt64LE(BigInt(OUTPUT_BYTES), AVAIL_OUT);
      const result = callNumber(LIBRARY, 'lzma_code', [stream, action]);
      const filled = OUTPUT_BYTES - Number(stream.readBigInt64LE(AVAIL_OUT));
      if (filled > 0) yield Buffer.from(this.#output.subarray(0, filled));
      if (result === STREAM_END) return;
      if (result !== OK && !(result === BUF_ERROR && action === RUN)) throw brokenXz(result);
      // A full output may have more behind it.
      if (action === RUN && stream.readBigInt64LE(AVAIL_IN) === 0n && filled < OUTPUT_BYTES) return;
    }
  }
}

function brokenXz(result: number): TsdError {
  const reason = REASONS[result] ?? `liblzma says ${result}`;
  return new TsdError('TSD_IMAGE_INVALID', `broken xz data: ${reason}`, { step: 'read archive' });
}
