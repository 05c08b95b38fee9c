/** Bodies that are files: kept below a directory of ours for as long as they are needed. */
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileError } from '../../ffi/files/layer-files.ts';
import { DockerError } from './docker-error.ts';

/** Larger bodies are taken for a mistake or an attack. */
const MAX_BYTES = 64 * 1024 ** 3;
/** So much of a body that is refused is read, so that its sender sees the answer and no broken connection. */
const DRAINED_BYTES = 256 * 1024 ** 2;
const DRAINED_MS = 10_000;

interface Upload {
  readonly path: string;
  readonly remove: () => Promise<void>;
}

/** @throws DockerError 400 for a body that is cut off, 413 for one that is too large; TSD_DISK_FULL */
async function receive(request: IncomingMessage, tmpDir: string): Promise<Upload> {
  await mkdir(tmpDir, { recursive: true });
  const directory = await mkdtemp(join(tmpDir, 'upload-'));
  const remove = (): Promise<void> => rm(directory, { recursive: true, force: true });
  const path = join(directory, 'body');
  try {
    await pipeline(request, limited(), createWriteStream(path, { flags: 'wx', mode: 0o600 }));
    if (!request.complete) throw cutOff();
  } catch (thrown) {
    await remove();
    if (thrown instanceof DockerError) throw thrown;
    throw request.complete ? fileError(thrown, 'receive the body') : cutOff();
  }
  return { path, remove };
}

const cutOff = (): DockerError => new DockerError(400, 'the body ended before it was complete');

function limited(): Transform {
  let bytes = 0;
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      bytes += piece.length;
      if (bytes > MAX_BYTES) done(new DockerError(413, `the body is larger than ${MAX_BYTES} bytes`));
      else done(null, piece);
    },
  });
}

/**
 * Receives the body and makes a stream of it, which lasts as long as the file does.
 * @param begin resolves when it is certain that the answer is a stream
 * @throws what `begin` throws, without the file
 */
export async function streamOfUpload<T>(
  request: IncomingMessage,
  tmpDir: string,
  begin: (path: string) => Promise<AsyncIterable<T>>,
): Promise<AsyncIterable<T>> {
  const { path, remove } = await receive(request, tmpDir);
  let items: AsyncIterable<T>;
  try {
    items = await begin(path);
  } catch (thrown) {
    await remove();
    throw thrown;
  }
  return (async function* () {
    try {
      yield* items;
    } finally {
      await remove();
    }
  })();
}

/** Runs what answers an upload; the rest of a body that it refuses is read, within bounds. */
export async function draining<T>(request: IncomingMessage, answer: () => Promise<T>): Promise<T> {
  try {
    return await answer();
  } catch (thrown) {
    await drain(request);
    throw thrown;
  }
}

async function drain(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed) return;
  let bytes = 0;
  const late = new AbortController();
  await new Promise<void>((resolve) => {
    request.on('data', ({ length }: Buffer) => {
      bytes += length;
      if (bytes > DRAINED_BYTES) resolve();
    });
    request
      .on('end', resolve)
      .on('close', resolve)
      .on('error', () => resolve());
    void delay(DRAINED_MS, undefined, { signal: late.signal }).then(resolve, () => {});
    request.resume();
  });
  late.abort();
}
