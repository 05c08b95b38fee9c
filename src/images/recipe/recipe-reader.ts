import { createReadStream } from 'node:fs';
import { access } from 'node:fs/promises';
import { createGunzip } from 'node:zlib';
import { TsdError } from '../../model/errors/errors.ts';
import {
  FILE_FRAME,
  FILE_HEAD_BYTES,
  MAGIC,
  PART_FRAME,
  PART_HEAD_BYTES,
  RAW_FRAME,
  RAW_HEAD_BYTES,
} from './frames.ts';

/** A stretch of a layer's tar: its bytes, or the file with the content from `offset` on. */
export type RecipePart =
  | { readonly type: 'raw'; readonly bytes: Buffer }
  | { readonly type: 'file'; readonly path: Buffer; readonly size: number; readonly offset: number };

/** @throws TSD_IMAGE_INVALID for a damaged recipe, and when there is none. */
export async function* readRecipe(path: string): AsyncGenerator<RecipePart> {
  await access(path).catch((cause: unknown) => {
    throw new TsdError('TSD_IMAGE_INVALID', `there is no record of the exact bytes of this layer (${path})`, {
      step: 'read recipe',
      hint: 'Load or pull the image again.',
      cause,
    });
  });
  const bytes = new ByteQueue(createReadStream(path).pipe(createGunzip()));
  try {
    if (!(await bytes.take(MAGIC.length)).equals(MAGIC)) throw damaged(path);
    for (;;) {
      const type = await bytes.takeOrEnd();
      if (type === null) return;
      yield await readPart(bytes, type, path);
    }
  } finally {
    bytes.close();
  }
}

async function readPart(bytes: ByteQueue, type: number, path: string): Promise<RecipePart> {
  if (type === RAW_FRAME) {
    const head = await bytes.take(RAW_HEAD_BYTES - 1);
    return { type: 'raw', bytes: await bytes.take(head.readUInt32LE(0)) };
  }
  if (type === PART_FRAME) {
    const head = await bytes.take(PART_HEAD_BYTES - 1);
    const [size, offset] = [Number(head.readBigUInt64LE(0)), Number(head.readBigUInt64LE(8))];
    return { type: 'file', size, offset, path: await bytes.take(head.readUInt16LE(16)) };
  }
  if (type !== FILE_FRAME) throw damaged(path);
  const head = await bytes.take(FILE_HEAD_BYTES - 1);
  const size = Number(head.readBigUInt64LE(0));
  return { type: 'file', size, offset: 0, path: await bytes.take(head.readUInt16LE(8)) };
}

function damaged(path: string, cause?: unknown): TsdError {
  return new TsdError('TSD_IMAGE_INVALID', `the recipe ${path} is damaged`, {
    step: 'read recipe',
    hint: 'Remove the image and load or pull it again.',
    cause,
  });
}

/** Bytes of a stream in the amounts that the reader asks for. */
class ByteQueue {
  readonly #stream: NodeJS.ReadableStream & { destroy(): void };
  readonly #pieces: AsyncIterator<string | Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: NodeJS.ReadableStream & { destroy(): void }) {
    this.#stream = stream;
    this.#pieces = stream[Symbol.asyncIterator]();
  }

  /** The next byte, or null at the end. */
  async takeOrEnd(): Promise<number | null> {
    if (this.#rest.length === 0 && !(await this.#more())) return null;
    return (await this.take(1)).readUInt8(0);
  }

  async take(length: number): Promise<Buffer> {
    const collected: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      if (this.#rest.length === 0 && !(await this.#more())) throw damaged('file', 'it is cut off');
      const taken = this.#rest.subarray(0, missing);
      this.#rest = this.#rest.subarray(taken.length);
      missing -= taken.length;
      collected.push(taken);
    }
    return collected.length === 1 ? (collected[0] as Buffer) : Buffer.concat(collected);
  }

  close(): void {
    this.#stream.destroy();
  }

  async #more(): Promise<boolean> {
    try {
      const next = await this.#pieces.next();
      if (next.done === true) return false;
      this.#rest = next.value as Buffer;
      return true;
    } catch (cause) {
      throw damaged('file', cause);
    }
  }
}
