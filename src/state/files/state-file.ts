import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { TsdError } from '../../model/errors/errors.ts';
import { GoDecodeError, type GoType, goUnmarshal } from './go-json.ts';

/** Largest file read as one JSON document. Ours have a few KB; a larger file is not ours. */
const MAX_STATE_BYTES = 16 * 1024 * 1024;

/** Something on disk that could not be used. It is left as it is; the start continues without it. */
export interface StateIssue {
  readonly path: string;
  readonly error: TsdError;
}

export function corrupt(path: string, reason: string, cause?: unknown): TsdError {
  const hint =
    `Put a backup of ${path} in its place${reason === 'is missing' ? '' : `, or continue without it: \`mv ${path} ${path}.old\``}. ` +
    'Then `systemctl restart tsdocker`.';
  return new TsdError('TSD_STATE_CORRUPT', `${path}: ${reason}`, { step: `read ${path}`, hint, cause });
}

export function errnoCode(error: unknown): string | undefined {
  return error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
}

/**
 * The text of a state file, or null when there is none. Only a regular file of sane size and valid UTF-8 is read: no
 * symbolic link is followed and no fifo or device is waited for.
 * @throws TsdError TSD_STATE_CORRUPT.
 */
export function readStateFile(path: string): string | null {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return null;
    if (errnoCode(error) === 'ELOOP') throw corrupt(path, 'is a symbolic link', error);
    throw corrupt(path, `cannot be opened (${errnoCode(error)})`, error);
  }
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw corrupt(path, 'is not a regular file');
    if (stat.size > MAX_STATE_BYTES) throw corrupt(path, `has ${stat.size} bytes, more than ${MAX_STATE_BYTES}`);
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(readFileSync(fd));
  } catch (error) {
    if (error instanceof TsdError) throw error;
    throw corrupt(
      path,
      error instanceof TypeError ? 'is not valid UTF-8' : `cannot be read (${errnoCode(error)})`,
      error,
    );
  } finally {
    closeSync(fd);
  }
}

/** Reads and decodes a state file; null when there is none. @throws TsdError TSD_STATE_CORRUPT naming the field. */
export function readGoFile<T>(path: string, type: GoType<T>): T | null {
  const text = readStateFile(path);
  if (text === null) return null;
  try {
    return goUnmarshal(type, text);
  } catch (error) {
    if (error instanceof GoDecodeError) throw corrupt(path, error.message, error);
    if (error instanceof SyntaxError) throw corrupt(path, 'is not complete JSON', error);
    throw error;
  }
}
