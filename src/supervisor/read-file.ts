import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { MAX_CONTENT_BYTES, type ReadResult } from '../manifest/content.ts';

function failure(path: string, error: unknown): ReadResult {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return { ok: false, reason: 'missing', message: `${path} does not exist` };
  return { ok: false, reason: 'unreadable', message: `${path} cannot be read: ${code ?? String(error)}` };
}

/** Reads a regular file of bounded size; never waits for a writer or a fifo, never throws for what is on the disk. */
export function readHostFile(path: string): ReadResult {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (error) {
    return failure(path, error);
  }
  try {
    const status = fstatSync(fd);
    if (!status.isFile()) return { ok: false, reason: 'not-a-file', message: `${path} is not a regular file` };
    if (status.size > MAX_CONTENT_BYTES)
      return { ok: false, reason: 'too-large', message: `${path} is larger than 1 MiB` };
    const bytes = Buffer.alloc(MAX_CONTENT_BYTES + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(fd, bytes, length, bytes.length - length, length);
    }
    if (length > MAX_CONTENT_BYTES) return { ok: false, reason: 'too-large', message: `${path} is larger than 1 MiB` };
    return { ok: true, bytes: Buffer.from(bytes.subarray(0, length)) };
  } catch (error) {
    return failure(path, error);
  } finally {
    closeSync(fd);
  }
}
