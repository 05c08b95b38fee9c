/** The database as it was before its schema is changed: the way back to the version that wrote it. */
import { closeSync, fsyncSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { syncDirectory } from '../../ffi/files/files.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { isContentError, isNoRoom } from '../databases/database.ts';
import { toStateError } from '../files/state-error.ts';

/** Copies of more upgrades than anyone goes back. */
const KEPT = 3;

const copyName = (database: string, version: number): string => `${database}.schema-${version}`;

interface Copy {
  readonly path: string;
  readonly version: number;
}

/** The copies beside a database, the newest schema first. */
export function copiesOf(database: string): Copy[] {
  const prefix = `${basename(database)}.schema-`;
  return readdirSync(dirname(database))
    .flatMap((name) => {
      const version = name.startsWith(prefix) ? name.slice(prefix.length) : '';
      return /^\d+$/.test(version) ? [{ path: join(dirname(database), name), version: Number(version) }] : [];
    })
    .sort((a, b) => b.version - a.version);
}

/**
 * Keeps a copy of the database as it is, beside it, and drops those of long ago. It is whole under its name, or not there.
 * @throws TsdError when it cannot be written: what is not kept is not changed. A damaged database fails as its reading does.
 */
export function copyBefore(database: Database.Database, version: number): void {
  const path = copyName(database.name, version);
  const unfinished = `${path}.tmp`;
  try {
    rmSync(unfinished, { force: true });
    // SQLite takes an empty file; one that it makes has another mode.
    closeSync(openSync(unfinished, 'wx', 0o600));
    database.prepare('VACUUM INTO ?').run(unfinished);
    const fd = openSync(unfinished, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(unfinished, path);
    syncDirectory(dirname(path));
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw refusal(error, database.name, path);
  }
  for (const { path: old } of copiesOf(database.name).slice(KEPT)) rmSync(old, { force: true });
}

function refusal(thrown: unknown, database: string, path: string): unknown {
  if (isContentError(thrown)) return thrown;
  const error =
    thrown instanceof Error && !(thrown instanceof Database.SqliteError) ? toStateError(thrown, path) : thrown;
  const isFull = isNoRoom(thrown) || (error instanceof TsdError && error.code === 'TSD_DISK_FULL');
  const why = isFull ? 'the disk is full' : thrown instanceof Error ? thrown.message : String(thrown);
  return new TsdError(
    isFull ? 'TSD_DISK_FULL' : 'TSD_SYSCALL',
    `${database} stays as the earlier version left it: a copy of it cannot be kept as ${path}: ${why}`,
    {
      step: `keep ${path}`,
      hint: `\`df -h ${dirname(path)}\` shows the room that there is; with as much as the file is large, run \`systemctl restart tsdocker\`. Containers run on meanwhile.`,
      cause: thrown,
    },
  );
}
