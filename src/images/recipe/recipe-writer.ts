import { createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip, type Gzip } from 'node:zlib';
import { fileError } from '../../ffi/files/layer-files.ts';
import { toBytes } from '../tar/header.ts';
import type { DataSink } from '../tar/sparse.ts';
import { fileFrame, MAGIC, partFrame, rawFrame } from './frames.ts';

/**
 * Records everything of a layer's tar that is not file content: headers, padding, order. With the files that the layer
 * holds it gives the same bytes again, and so the same digest, although the tar itself is not kept.
 */
export class RecipeWriter {
  readonly #path: string;
  readonly #gzip: Gzip = createGzip({ level: constants.Z_BEST_SPEED });
  readonly #written: Promise<void>;
  #frames: Buffer[] = [MAGIC];
  #piece: Buffer = Buffer.alloc(0);
  /** Bytes of the current piece that are recorded or are file content. */
  #taken = 0;

  /** `path` does not exist before {@link commit}. */
  static async create(path: string): Promise<RecipeWriter> {
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    } catch (thrown) {
      throw fileError(thrown, 'write recipe');
    }
    return new RecipeWriter(path);
  }

  private constructor(path: string) {
    this.#path = path;
    this.#written = pipeline(this.#gzip, createWriteStream(temporary(path), { mode: 0o600 }));
    // Looked at in commit; until then a failure is no unhandled one.
    this.#written.catch(() => {});
  }

  /** The piece of the tar that the following calls are about. */
  begin(piece: Buffer): void {
    this.#piece = piece;
    this.#taken = 0;
  }

  /** @param path byte string; where the layer holds what goes into `sink`. @param sparse the tar has only parts of it. */
  follow(sink: DataSink, path: string, size: number, sparse: boolean): DataSink {
    let position = 0;
    return {
      write: (bytes) => {
        const at = bytes.byteOffset - this.#piece.byteOffset;
        this.#takeRaw(at);
        if (sparse) this.#frames.push(partFrame(toBytes(path), bytes.length, position));
        else if (position === 0) this.#frames.push(fileFrame(toBytes(path), size));
        position += bytes.length;
        this.#taken = at + bytes.length;
        sink.write(bytes);
      },
      skip: (bytes) => {
        position += bytes;
        sink.skip(bytes);
      },
      end: () => sink.end(),
    };
  }

  /** The piece is complete. */
  async end(): Promise<void> {
    this.#takeRaw(this.#piece.length);
    const frames = this.#frames.splice(0);
    if (this.#gzip.write(Buffer.concat(frames))) return;
    await Promise.race([new Promise((resolve) => this.#gzip.once('drain', resolve)), this.#written]);
  }

  /** The layer is whole: the recipe appears. @throws TSD_DISK_FULL, TSD_SYSCALL. */
  async commit(): Promise<void> {
    try {
      this.#gzip.end();
      await this.#written;
      await rename(temporary(this.#path), this.#path);
    } catch (thrown) {
      throw fileError(thrown, 'write recipe');
    }
  }

  /** Leaves nothing; a committed recipe stays. */
  async discard(): Promise<void> {
    this.#gzip.destroy();
    await this.#written.catch(() => {});
    await rm(temporary(this.#path), { force: true });
  }

  #takeRaw(end: number): void {
    // A copy: the piece's memory is used again while the compressor still reads.
    if (end > this.#taken) this.#frames.push(rawFrame(Buffer.from(this.#piece.subarray(this.#taken, end))));
    this.#taken = end;
  }
}

const temporary = (path: string): string => `${path}.part`;
