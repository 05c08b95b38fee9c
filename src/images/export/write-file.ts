import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileError } from '../../ffi/files/layer-files.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { LayoutFile } from './oci-layout.ts';

/** Bytes that are written before the next progress report. */
const REPORT_BYTES = 4 * 1024 ** 2;

const partOf = (path: string): string =>
  join(dirname(path), `.${basename(path)}.${randomBytes(4).toString('hex')}.part`);

/**
 * Streams bytes into a file that appears only when it is complete; an existing file is replaced, and keeps its content
 * after a failure. @returns its size. @throws TSD_DISK_FULL, TSD_SYSCALL, and what `pieces` throws.
 */
export async function writeWhole(
  path: string,
  pieces: AsyncIterable<Buffer>,
  progress: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<number> {
  const part = partOf(path);
  try {
    const counter = new Counter(progress);
    await writeNew(part, counter.count(pieces), signal);
    await rename(part, path);
    return counter.bytes;
  } catch (thrown) {
    await rm(part, { force: true });
    throw writeError(thrown, path, part);
  }
}

/**
 * As {@link writeWhole} for the files of a directory, which must not be there yet, or be empty: what is in it could be
 * another program's. @throws TSD_BAD_REQUEST
 */
export async function writeWholeDirectory(
  path: string,
  files: AsyncIterable<LayoutFile>,
  progress: (bytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<number> {
  await requireEmpty(path);
  const part = partOf(path);
  try {
    const counter = new Counter(progress);
    await mkdir(part, { mode: 0o700 });
    for await (const file of files) {
      const place = join(part, file.path);
      await mkdir(dirname(place), { recursive: true, mode: 0o700 });
      const pieces = 'text' in file ? Readable.from([Buffer.from(file.text)]) : file.pieces;
      await writeNew(place, counter.count(pieces), signal);
    }
    await rename(part, path);
    return counter.bytes;
  } catch (thrown) {
    await rm(part, { recursive: true, force: true });
    throw writeError(thrown, path, part);
  }
}

/** @param part what could not be made where its directory is missing. */
function writeError(thrown: unknown, path: string, part: string): unknown {
  const { code, path: failed } = thrown as NodeJS.ErrnoException;
  if (failed !== part || (code !== 'ENOENT' && code !== 'ENOTDIR')) return fileError(thrown, `write ${path}`);
  const directory = dirname(path);
  return new TsdError('TSD_BAD_REQUEST', `${directory}: no such directory`, {
    step: `write ${path}`,
    hint: code === 'ENOENT' ? `Create it with \`mkdir -p ${directory}\`, or name another file.` : 'Name another file.',
  });
}

async function requireEmpty(path: string): Promise<void> {
  const names = await readdir(path).catch((thrown: NodeJS.ErrnoException) => {
    if (thrown.code === 'ENOENT') return [];
    if (thrown.code === 'ENOTDIR') return [basename(path)];
    throw fileError(thrown, `write ${path}`);
  });
  if (names.length === 0) return;
  throw new TsdError('TSD_BAD_REQUEST', `${path} is there already, and not an empty directory`, {
    step: `write ${path}`,
    hint: 'Name a directory that is not there yet.',
  });
}

function writeNew(path: string, pieces: AsyncIterable<Buffer>, signal: AbortSignal | undefined): Promise<void> {
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  return pipeline(Readable.from(pieces, { objectMode: false }), file, ...(signal ? [{ signal }] : []));
}

class Counter {
  bytes = 0;
  readonly #progress: (bytes: number) => void;
  #reported = 0;

  constructor(progress: (bytes: number) => void) {
    this.#progress = progress;
  }

  async *count(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      this.bytes += piece.length;
      if (this.bytes - this.#reported >= REPORT_BYTES) {
        this.#reported = this.bytes;
        this.#progress(this.bytes);
      }
      yield piece;
    }
  }
}
