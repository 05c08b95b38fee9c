import { randomBytes } from 'node:crypto';
import { lstatSync, readdirSync, realpathSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type FileLock, tryLockFile } from '../ffi/files/locks.ts';
import { makePath } from '../ffi/files/make-path.ts';
import { emptyDirectory } from '../ffi/files/remove-tree.ts';
import { TsdError } from '../model/errors/errors.ts';
import { instanceCopy } from './databases/declaration-copies.ts';
import { StateFiles } from './files/durable.ts';
import { type RestrictedMode, restrictRoot, restrictRunDirectory } from './files/private-modes.ts';
import { toStateError } from './files/state-error.ts';
import { corrupt, readStateFile, type StateIssue } from './files/state-file.ts';
import { claimPidfile, type Pidfile } from './pidfile.ts';
import { finishVolumes } from './volumes/half-volumes.ts';

/** Directories of the root, all 0700. */
const ROOT_DIRECTORIES = ['containers', 'graph', 'volumes', 'vfs', 'vfs/dir', 'execdriver', 'execdriver/native', 'tmp'];

/** include/uapi/linux/magic.h */
const MEMORY_FILESYSTEMS: readonly number[] = [0x01021994 /* TMPFS_MAGIC */, 0x858458f6 /* RAMFS_MAGIC */];

export interface RootOptions {
  readonly root: string;
  readonly runDir: string;
  /** Null writes none. */
  readonly pidfile: string | null;
}

/** A root that this process owns until {@link StateRoot.close}. Paths are canonical. */
export interface StateRoot {
  readonly root: string;
  readonly runDir: string;
  /** Six hex digits, minted once: owner mark of every kernel object of this root. */
  readonly instanceId: string;
  /** Writer for everything under the root. */
  readonly files: StateFiles;
  /** Writer for everything under the run directory. */
  readonly runFiles: StateFiles;
  readonly issues: readonly StateIssue[];
  /** What others could read or write until now. */
  readonly restricted: readonly RestrictedMode[];
  /** Gives up pid file and locks. What is on disk stays. */
  close(): void;
}

/** Makes a directory that must be a real one: nothing below the root is reached through a symbolic link. */
function ensureDirectory(path: string, mode: number): void {
  try {
    makePath(path, mode);
    if (!lstatSync(path).isDirectory()) throw corrupt(path, 'is not a directory');
  } catch (error) {
    throw toStateError(error, `create ${path}`);
  }
}

/** Returns the canonical path of a directory and creates it when missing; its path may contain symbolic links. */
function ensureBase(path: string, mode: number): string {
  try {
    makePath(path, mode);
    const canonical = realpathSync(path);
    if (statSync(canonical).isDirectory()) return canonical;
    throw new TsdError('TSD_FLAG', `${path} is not a directory`);
  } catch (error) {
    throw toStateError(error, `create ${path}`);
  }
}

function lockDirectory(directory: string): FileLock {
  let result: ReturnType<typeof tryLockFile>;
  try {
    result = tryLockFile(join(directory, 'lock'));
  } catch (error) {
    throw toStateError(error, `lock ${directory}`);
  }
  if (result.locked) return result.lock;
  const who = result.holderPid === null ? 'another supervisor' : `another supervisor (pid ${result.holderPid})`;
  const stop = result.holderPid === null ? 'Stop it' : `Stop it (kill ${result.holderPid})`;
  throw new TsdError('TSD_LOCKED', `${who} owns ${directory}`, {
    step: `lock ${directory}`,
    hint: `${stop}, or give this one its own --root and --run-dir.`,
  });
}

const INSTANCE = /^[0-9a-f]{6}\n?$/;

/** What is to be known of a root where nothing says which instance it is, although there were runs of it. */
function unknownInstance(path: string): TsdError {
  return new TsdError('TSD_STATE_CORRUPT', `${path}: is missing, and containers were run from here`, {
    step: `read ${path}`,
    hint:
      `Put it back: six hex digits, those of \`nft list tables | grep tsd-\` on this host, as \`echo 1a2b3c > ${path}\`. ` +
      'After a reboot, when nothing runs, any six do.',
  });
}

/**
 * True when a container was run from this root: each exec driver keeps records of its runs in a folder of `execdriver/`.
 * @throws when a folder cannot be read
 */
function hasRuns(root: string): boolean {
  const path = join(root, 'execdriver');
  try {
    return readdirSync(path, { withFileTypes: true }).some(
      (driver) => driver.isDirectory() && readdirSync(join(path, driver.name)).length > 0,
    );
  } catch (error) {
    throw toStateError(error, `read ${path}`);
  }
}

/**
 * Changing the id would orphan every kernel object of this root, so a damaged file is an error, not a reason to mint. One
 * that is missing is written again from its copy.
 */
async function readOrMintInstance(root: string, files: StateFiles): Promise<string> {
  const path = join(root, 'instance');
  const text = readStateFile(path);
  if (text !== null) {
    if (!INSTANCE.test(text)) throw corrupt(path, 'does not hold six hex digits');
    return text.trim();
  }
  const known = instanceCopy(root);
  if (known === null ? hasRuns(root) : !INSTANCE.test(known)) throw unknownInstance(path);
  const id = known ?? randomBytes(3).toString('hex');
  const batch = files.batch();
  batch.file(path, { content: `${id}\n`, mode: 0o600 });
  await batch.commit();
  return id;
}

/** Deletes partial results of a killed supervisor. A failed removal is an issue. */
function emptied(directory: string): StateIssue[] {
  return emptyDirectory(directory).map(({ path, error: thrown }) => {
    const error = toStateError(thrown, `remove ${path}`);
    return { path, error: error instanceof TsdError ? error : corrupt(path, String(error), error) };
  });
}

/** True for a directory on a tmpfs or ramfs: its content goes with the boot, as sockets and secrets should. */
export function isInMemory(path: string): boolean {
  return MEMORY_FILESYSTEMS.includes(statfsSync(path).type);
}

function memoryIssue(runDir: string): StateIssue[] {
  if (isInMemory(runDir)) return [];
  const error = new TsdError(
    'TSD_UNSUPPORTED_HOST',
    `${runDir} is not on a tmpfs: secrets would be written to a disk`,
    {
      class: 'precondition',
      hint: 'Give --run-dir a directory on a tmpfs, such as one below /run.',
    },
  );
  return [{ path: runDir, error }];
}

function restrictModes(root: string, runDir: string): readonly RestrictedMode[] {
  try {
    return [...restrictRoot(root), ...restrictRunDirectory(runDir)];
  } catch (error) {
    throw toStateError(error, `correct the modes of ${root} and ${runDir}`);
  }
}

async function prepare(
  root: string,
  runDir: string,
): Promise<Omit<StateRoot, 'root' | 'runDir' | 'close' | 'restricted'>> {
  for (const name of ROOT_DIRECTORIES) ensureDirectory(join(root, name), 0o700);
  const runTmp = join(runDir, 'tmp');
  ensureDirectory(runTmp, 0o700);
  const files = new StateFiles(join(root, 'tmp'));
  const runFiles = new StateFiles(runTmp);
  const issues = [
    ...finishVolumes(root, files),
    ...emptied(files.tmpDir),
    ...emptied(runFiles.tmpDir),
    ...memoryIssue(runDir),
  ];
  return { instanceId: await readOrMintInstance(root, files), files, runFiles, issues };
}

/**
 * Takes ownership of a root and a run directory, making what is missing and removing leftovers of unfinished writes.
 * @throws TsdError TSD_LOCKED naming the owner, TSD_STATE_CORRUPT, TSD_DISK_FULL, TSD_SYSCALL.
 */
export async function openRoot(options: RootOptions): Promise<StateRoot> {
  const root = ensureBase(options.root, 0o700);
  // Others must reach the socket in it; the secrets below it are 0700.
  const runDir = ensureBase(options.runDir, 0o711);
  const locks: FileLock[] = [];
  let pidfile: Pidfile | null = null;
  const close = (): void => {
    pidfile?.release();
    for (const lock of locks.splice(0).reverse()) lock.release();
  };
  try {
    for (const directory of new Set([root, runDir])) locks.push(lockDirectory(directory));
    if (options.pidfile !== null) pidfile = claimPidfile(options.pidfile);
    const restricted = restrictModes(root, runDir);
    return { root, runDir, close, restricted, ...(await prepare(root, runDir)) };
  } catch (error) {
    close();
    throw error;
  }
}
