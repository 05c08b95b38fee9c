import { existsSync, renameSync } from 'node:fs';
import Database from 'better-sqlite3';
import { TsdError } from '../model/errors.ts';
import { corrupt, type StateIssue } from './state-file.ts';

/** SQLITE_CORRUPT and SQLITE_NOTADB: the content is wrong, as opposed to a disk or permission that is. */
const CONTENT_ERRORS = ['SQLITE_CORRUPT', 'SQLITE_NOTADB'];

/** The second: of the index of the write-ahead log, which grows by itself. */
const NO_ROOM = ['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE'];

/** Codes of statements that are wrong, or not allowed by the tables. */
const OUR_ERRORS = ['SQLITE_CONSTRAINT', 'SQLITE_ERROR', 'SQLITE_MISUSE', 'SQLITE_RANGE', 'SQLITE_MISMATCH'];

/** How long a write waits for one of another process, as of a person who looks into a database; nothing else goes on meanwhile. */
const BUSY_TIMEOUT_MS = 100;

/** True for a write that failed by itself and may succeed later: no room, a failing disk, another writer. */
export function isTroubleOfTheDisk(error: unknown): boolean {
  if (error instanceof TsdError) return error.code === 'TSD_DISK_FULL';
  return error instanceof Database.SqliteError && !OUR_ERRORS.some((code) => error.code.startsWith(code));
}

const isContentError = (error: unknown): boolean =>
  error instanceof Database.SqliteError && CONTENT_ERRORS.some((code) => error.code.startsWith(code));

/** Files of one database: itself, rollback journal, write-ahead log and its index. */
const SUFFIXES = ['', '-journal', '-wal', '-shm'];

function freeName(path: string): string {
  for (let n = 1; ; n++) if (!existsSync(`${path}.damaged-${n}`)) return `${path}.damaged-${n}`;
}

function setAside(path: string): string {
  const target = freeName(path);
  for (const suffix of SUFFIXES) if (existsSync(path + suffix)) renameSync(path + suffix, target + suffix);
  return target;
}

function openWith(path: string, prepare: (database: Database.Database) => void): Database.Database {
  const database = new Database(path, { timeout: BUSY_TIMEOUT_MS });
  try {
    prepare(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** What SQLite says of a disk without room as a TsdError; other errors pass unchanged. */
export function toWriteError(path: string, error: unknown): unknown {
  if (!(error instanceof Database.SqliteError) || !NO_ROOM.includes(error.code)) return error;
  return new TsdError('TSD_DISK_FULL', `the disk is full: nothing can be written to ${path}`, { cause: error });
}

/** A SQLite failure as a TsdError; other errors pass unchanged. */
function toDatabaseError(path: string, thrown: unknown): unknown {
  const error = toWriteError(path, thrown);
  if (!(error instanceof Database.SqliteError)) return error;
  return corrupt(path, `${error.message} (${error.code})`, error);
}

export interface OpenedDatabase {
  readonly database: Database.Database;
  readonly issues: readonly StateIssue[];
}

/**
 * Opens a database or makes it. One that is damaged is renamed to `<path>.damaged-N` and a new one takes its place,
 * because a supervisor that does not start helps nobody; the issue says so.
 * @param prepare sets pragmas and creates or migrates tables. What it throws other than a damaged file goes through.
 */
export function openDatabase(path: string, prepare: (database: Database.Database) => void): OpenedDatabase {
  try {
    return { database: openWith(path, prepare), issues: [] };
  } catch (error) {
    if (!isContentError(error)) throw toDatabaseError(path, error);
    const aside = setAside(path);
    const issue = { path: aside, error: corrupt(path, `is damaged; kept as ${aside}, a new one was made`, error) };
    return { database: openWith(path, prepare), issues: [issue] };
  }
}
