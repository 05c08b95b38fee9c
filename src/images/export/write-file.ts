import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileError } from '../../ffi/layer-files.ts';

/** Bytes that are written before the next progress report. */
const REPORT_BYTES = 16 * 1024 ** 2;

/**
 * Streams bytes into a file that appears only when it is whole; one that stands there is replaced, and keeps its content
 * after a failure. @returns its size. @throws TSD_DISK_FULL, TSD_SYSCALL, and what `pieces` throws.
 */
export async function writeWhole(
  path: string,
  pieces: AsyncIterable<Buffer>,
  progress: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<number> {
  const part = join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.part`);
  let bytes = 0;
  let reported = 0;
  async function* counted(): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      bytes += piece.length;
      if (bytes - reported >= REPORT_BYTES) {
        reported = bytes;
        progress(bytes);
      }
      yield piece;
    }
  }
  try {
    const file = createWriteStream(part, { flags: 'wx', mode: 0o600 });
    await pipeline(Readable.from(counted(), { objectMode: false }), file, ...(signal ? [{ signal }] : []));
    await rename(part, path);
    return bytes;
  } catch (thrown) {
    await rm(part, { force: true });
    throw fileError(thrown, `write ${path}`);
  }
}
