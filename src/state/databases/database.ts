import { closeSync, existsSync, fsyncSync, openSync, readSync, renameSync } from 'node:fs';
import { dirname } from 'node:path/posix';
import Database from 'better-sqlite3';
import { TsdError } from '../../model/errors/errors.ts';
import { corrupt, errnoCode, type StateIssue } from '../files/state-file.ts';
import { DATABASE_SUFFIXES, describeShape, isEmptyDatabase } from './database-damage.ts';

/** SQLITE_CORRUPT and SQLITE_NOTADB: the content is wrong, as opposed to a disk or permission that is. */
const CONTENT_ERRORS = ['SQLITE_CORRUPT', 'SQLITE_NOTADB'];

/** An EIO of a read is one of the first two (SQLITE_IOERR_CORRUPTFS of os_unix.c), one of open(2) the last. */
const DISK_OR_FILE = [...CONTENT_ERRORS, 'SQLITE_CANTOPEN'];

/** The second: of the index of the write-ahead log, which grows by itself. */
const NO_ROOM = ['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE'];

/** Codes of statements that are wrong, or not allowed by the tables. */
const OUR_ERRORS = ['SQLITE_CONSTRAINT', 'SQLITE_ERROR', 'SQLITE_MISUSE', 'SQLITE_RANGE', 'SQLITE_MISMATCH'];

/** How long a write waits for one of another process, as of a person who looks into a database; nothing else continues meanwhile. */
const BUSY_TIMEOUT_MS = 100;

type SqliteError = InstanceType<typeof Database.SqliteError>;

const isOneOf = (error: SqliteError, codes: readonly string[]): boolean =>
  codes.some((code) => error.code.startsWith(code));

/** True for a write that failed by itself and may succeed later: no room, a failing disk, another writer. */
export function isTroubleOfTheDisk(error: unknown): boolean {
  if (!(error instanceof TsdError)) return false;
  return error.code === 'TSD_DISK_FULL' || error.cause instanceof Database.SqliteError;
}

export const isContentError = (error: unknown): boolean =>
  error instanceof Database.SqliteError && isOneOf(error, CONTENT_ERRORS);

export const isNoRoom = (error: unknown): boolean =>
  error instanceof Database.SqliteError && NO_ROOM.includes(error.code);

/** Those that hold content. */
const READ_SUFFIXES = ['', '-journal', '-wal'];

function freeName(path: string): string {
  for (let n = 1; ; n++) if (!existsSync(`${path}.damaged-${n}`)) return `${path}.damaged-${n}`;
}

function setAside(path: string): string {
  const target = freeName(path);
  for (const suffix of DATABASE_SUFFIXES) if (existsSync(path + suffix)) renameSync(path + suffix, target + suffix);
  return target;
}

const DISK_HINT =
  '`dmesg` shows what the kernel says of the disk; when it is repaired, run `systemctl restart tsdocker`.';

/** The remedy for each kind of error; others are errors of the disk. */
function hintFor(error: SqliteError, path: string): string {
  if (isContentError(error))
    return `Where \`dmesg\` shows errors of the disk, repair that first. Stop the supervisor (\`systemctl stop tsdocker\`), move ${path}* away, put a backup there if there is one, and start it again.`;
  if (isOneOf(error, ['SQLITE_BUSY']))
    return `\`fuser -v ${path}\` shows who else uses it. Run the command again when that has ended; the supervisor's own work is tried again by itself.`;
  if (isOneOf(error, ['SQLITE_CANTOPEN']))
    return `\`ls -ld ${path}\` shows a directory in its place or a permission that is missing; it is neither where too many files are open (\`LimitNOFILE=\` of the service).`;
  if (isOneOf(error, ['SQLITE_READONLY']))
    return `\`findmnt -T ${dirname(path)}\` shows whether its filesystem is read-only; after a remount run \`systemctl restart tsdocker\`.`;
  return DISK_HINT;
}

/** The code of what is thrown, as `EIO`; null for nothing, and where there is no such file. */
function failureOf(act: () => void): string | null {
  try {
    act();
    return null;
  } catch (error) {
    const code = errnoCode(error) ?? null;
    return code === 'ENOENT' ? null : code;
  }
}

function withDescriptor(path: string, act: (fd: number) => void): void {
  const fd = openSync(path, 'r');
  try {
    act(fd);
  } finally {
    closeSync(fd);
  }
}

/** Errors of fsync(2) when the disk is gone, or its filesystem was shut down. */
const DISK_FAILURES = ['EIO', 'EROFS', 'ENXIO', 'ENODEV'];

/**
 * What the disk under a database fails with, as `EIO`; null when it works. Only the directory is opened: closing any
 * descriptor of a file gives up all locks of the process on it, those of SQLite too (sqlite.org/howtocorrupt.html, 2.2).
 */
function diskFailure(path: string): string | null {
  const code = failureOf(() => withDescriptor(dirname(path), fsyncSync));
  return code !== null && DISK_FAILURES.includes(code) ? code : null;
}

/** Returns why a database cannot be read to its end; null when it can. This process must not have it open. */
function readFailure(path: string): string | null {
  const buffer = Buffer.alloc(1024 ** 2);
  const readAll = (fd: number): void => {
    while (readSync(fd, buffer) > 0);
  };
  const codes = READ_SUFFIXES.map((suffix) => failureOf(() => withDescriptor(path + suffix, readAll)));
  return codes.find((code) => code !== null) ?? null;
}

const diskError = (step: string, code: string, cause: unknown): TsdError =>
  new TsdError('TSD_SYSCALL', `${step}: ${code}`, { step, hint: DISK_HINT, cause });

/** What SQLite says of the disk, of the file or of another process that uses it as a TsdError; other errors pass unchanged. */
function toDatabaseError(path: string, doing: string, error: unknown): unknown {
  if (!(error instanceof Database.SqliteError) || isOneOf(error, OUR_ERRORS)) return error;
  if (NO_ROOM.includes(error.code))
    return new TsdError('TSD_DISK_FULL', `the disk is full: nothing can be written to ${path}`, { cause: error });
  const step = `${doing} ${path}`;
  const failure = isOneOf(error, DISK_OR_FILE) ? diskFailure(path) : null;
  if (failure !== null) return diskError(step, failure, error);
  return new TsdError(
    isContentError(error) ? 'TSD_STATE_CORRUPT' : 'TSD_SYSCALL',
    `${step}: ${error.message} (${error.code})`,
    { step, hint: hintFor(error, path), cause: error },
  );
}

/**
 * Does something with a database.
 * @throws TsdError that names the file and what was being done, for trouble of the disk or of the file. What is wrong with
 * the statement itself, as a broken constraint, goes through.
 */
export function withDatabaseErrors<T>(database: Database.Database, doing: 'read' | 'write', act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw toDatabaseError(database.name, doing, error);
  }
}

/** Compiles a statement. It and the statement throw as {@link withDatabaseErrors} does. */
export function prepareStatement<Parameters extends unknown[], Row>(
  database: Database.Database,
  sql: string,
): Database.Statement<Parameters, Row> {
  const statement = withDatabaseErrors(database, 'read', () => database.prepare<Parameters, Row>(sql));
  const [run, get, all] = [statement.run.bind(statement), statement.get.bind(statement), statement.all.bind(statement)];
  statement.run = (...parameters) => withDatabaseErrors(database, 'write', () => run(...parameters));
  statement.get = (...parameters) => withDatabaseErrors(database, 'read', () => get(...parameters));
  statement.all = (...parameters) => withDatabaseErrors(database, 'read', () => all(...parameters));
  return statement;
}

/** Tables that are not ours are no damage of the file, which stays where it is. */
function toOpenError(path: string, error: unknown): unknown {
  if (error instanceof Database.SqliteError && isOneOf(error, OUR_ERRORS))
    return corrupt(path, `${error.message} (${error.code})`, error);
  return toDatabaseError(path, 'open', error);
}

/** How quick_check begins what it says of the pages; what it says of their content, a broken constraint, is no damage. */
const OF_THE_PAGES = '*** in database';

/** Looks at every page: a statement that meets a bad one later would end the start, or be refused again and again. */
function requireSoundPages(database: Database.Database): void {
  const found = String(database.pragma('quick_check(1)', { simple: true }));
  if (!found.startsWith(OF_THE_PAGES)) return;
  throw new Database.SqliteError(found.split('\n').slice(1).join('; '), 'SQLITE_CORRUPT');
}

/** As {@link describeShape}; null also for a file that cannot be opened: SQLite meets and says the same. */
function shapeOf(path: string): string | null {
  try {
    return describeShape(path);
  } catch {
    return null;
  }
}

function openWith(path: string, prepare: (database: Database.Database) => void): Database.Database {
  let database: Database.Database | undefined;
  try {
    database = new Database(path, { timeout: BUSY_TIMEOUT_MS });
    prepare(database);
    requireSoundPages(database);
    return database;
  } catch (error) {
    database?.close();
    throw toOpenError(path, error);
  }
}

export interface OpenedDatabase {
  readonly database: Database.Database;
  readonly issues: readonly StateIssue[];
  /** The problem of the expected file, as `is missing`; null for none. */
  readonly loss: string | null;
}

export interface Opening {
  /** True where there has to be one, so that a missing or empty file is a loss and not a beginning. */
  readonly expected?: boolean;
  /** The remedy for a loss, besides repairing the disk. */
  readonly hint?: string;
}

function startOver(
  path: string,
  prepare: (database: Database.Database) => void,
  loss: string,
  { hint, cause }: { readonly hint: string | undefined; readonly cause?: unknown },
): OpenedDatabase {
  const aside = existsSync(path) ? setAside(path) : null;
  const kept = aside === null ? 'a new one was made' : `kept as ${aside}, a new one was made`;
  const error = new TsdError('TSD_STATE_CORRUPT', `${path} ${loss}; ${kept}`, { step: `open ${path}`, cause, hint });
  return { database: openWith(path, prepare), issues: [{ path: aside ?? path, error }], loss };
}

/**
 * Opens a database or makes it. One that is damaged is renamed to `<path>.damaged-N` and a new one takes its place,
 * because a supervisor that does not start is worse; the issue says so.
 * @param prepare sets pragmas and creates or migrates tables. What it throws that is not SQLite's goes through.
 */
export function openDatabase(
  path: string,
  prepare: (database: Database.Database) => void,
  { expected = false, hint }: Opening = {},
): OpenedDatabase {
  if (expected && !existsSync(path)) return startOver(path, prepare, 'is missing', { hint });
  const shape = shapeOf(path);
  if (expected && shape !== null && isEmptyDatabase(path)) return startOver(path, prepare, shape, { hint });
  try {
    return { database: openWith(path, prepare), issues: [], loss: null };
  } catch (error) {
    if (!(error instanceof TsdError && error.code === 'TSD_STATE_CORRUPT' && isContentError(error.cause))) throw error;
    const unread = readFailure(path);
    if (unread !== null) throw diskError(`open ${path}`, unread, error.cause);
    const refusal = error.cause instanceof Error ? error.cause.message : error.message;
    return startOver(path, prepare, shape ?? `is damaged: ${refusal}`, { hint, cause: error });
  }
}
