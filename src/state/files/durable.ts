/**
 * Writing state so that a reader sees the old or the new content, never a part of it. Two grades:
 * *derivable* files survive a killed supervisor but, after a power loss, may be lost or torn and are built again;
 * *durable* ones are on the disk when the {@link DurableBatch} they were put into has been committed.
 */
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { toStateError } from './state-error.ts';
import { errnoCode } from './state-file.ts';

function rename(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    rmSync(from, { force: true, recursive: true });
    throw toStateError(error, `rename ${to}`);
  }
}

/** Content of a file that waits for its batch. */
export interface PendingFile {
  readonly content: string | Buffer;
  readonly mode: number;
  /**
   * Called right before the rename: returns the final content, since other writes may have come in between.
   * Null when the file is not wanted any more.
   */
  readonly latest?: () => string | Buffer | null;
  /** Called when it is in place. */
  readonly published?: () => void;
}

/** A directory that waits for its batch. */
interface PendingDirectory {
  /** Called when it is in place. */
  readonly published?: () => void;
  /** Called right before the rename, for a file named after its content: true when an equal file exists already. */
  readonly isThere?: () => boolean;
}

/** One step of a group commit. */
interface Change {
  /** What must be on the disk before. */
  readonly sync: readonly string[];
  /** Renames. Returns paths that must be brought to the disk after. */
  publish(): readonly string[];
  discard(): void;
}

/** Writes through a directory for unfinished things, which is emptied at every start. */
export class StateFiles {
  /** On the same filesystem as every file written. */
  readonly tmpDir: string;
  #temporaries = 0;

  constructor(tmpDir: string) {
    this.tmpDir = tmpDir;
  }

  /** Returns an unused path in the temporary directory, named after its purpose. */
  temporaryPath(label: string): string {
    this.#temporaries += 1;
    return join(this.tmpDir, `${label}.${process.pid}-${this.#temporaries}`);
  }

  writeTemporary(path: string, content: string | Buffer, mode: number): string {
    const temporary = this.temporaryPath(basename(path));
    try {
      writeFileSync(temporary, content, { mode, flag: 'wx' });
    } catch (error) {
      rmSync(temporary, { force: true });
      throw toStateError(error, `write ${path}`);
    }
    return temporary;
  }

  /** Replaces a derivable file. @throws TsdError TSD_DISK_FULL, TSD_SYSCALL; then the old content stays. */
  replace(path: string, content: string | Buffer, mode: number): void {
    const temporary = this.writeTemporary(path, content, mode);
    rename(temporary, path);
  }

  /** A group commit of durable changes. */
  batch(): DurableBatch {
    return new DurableBatch(this);
  }

  /**
   * Commits several batches at the cost of one. Each has its own outcome: undefined, or the first failure of its own.
   */
  commitTogether(batches: readonly DurableBatch[]): Promise<readonly unknown[]> {
    return DurableBatch.commitTogether(batches);
  }
}

/**
 * A file that others may write to, if it is a regular one of at most this size; null where it is gone or otherwise.
 * @throws TsdError TSD_SYSCALL.
 */
export function readSmallFile(path: string, maxBytes: number): string | null {
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile() || stat.size > maxBytes) return null;
      const bytes = Buffer.alloc(stat.size);
      return bytes.toString('utf8', 0, readSync(fd, bytes, 0, bytes.length, 0));
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (errnoCode(error) === 'ENOENT') return null;
    throw toStateError(error, `read ${path}`);
  }
}

/** Who made a file longer than that has to live with its end for a moment. */
const MAX_PADDED_BYTES = 1024 * 1024;

/**
 * Rewrites a file without changing its inode, for files that are bind-mounted into a running container: a renamed one
 * would not be seen there. The new text is written over the old before the rest is cut off, in one call and with blank lines
 * up to the old length: a reader never finds it empty, and none of the old text after the new.
 * @param mode the mode of the file afterwards, even if someone changed it
 */
export function rewriteInPlace(path: string, text: string, mode: number): void {
  try {
    const fd = openSync(
      path,
      constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      mode,
    );
    try {
      const length = Buffer.byteLength(text);
      const bytes = Buffer.alloc(Math.max(length, Math.min(fstatSync(fd).size, MAX_PADDED_BYTES)), '\n');
      bytes.write(text);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
      ftruncateSync(fd, length);
      fchmodSync(fd, mode);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw toStateError(error, `write ${path}`);
  }
}

/** Returns the failures by path. @param mayBeGone true when a missing path is no failure */
async function syncAll(paths: readonly string[], { mayBeGone = false } = {}): Promise<Map<string, unknown>> {
  const results = await Promise.allSettled(paths.map(syncPath));
  const failed = new Map<string, unknown>();
  results.forEach((result, index) => {
    const path = paths[index];
    if (result.status === 'fulfilled' || path === undefined) return;
    if (!mayBeGone || errnoCode(result.reason?.cause) !== 'ENOENT') failed.set(path, result.reason);
  });
  return failed;
}

async function syncPath(path: string): Promise<void> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw toStateError(error, `fsync ${path}`);
  }
}

/**
 * Group commit: everything staged becomes visible and durable together at a cost that grows slowly with their number,
 * because the kernel merges fsyncs that run at the same time. Order: content to disk, renames in the order staged, their
 * directories to disk. A crash leaves a prefix of the renames, each complete. Use it once.
 */
export class DurableBatch {
  readonly #files: StateFiles;
  readonly #changes: Change[] = [];
  #done = false;

  /** Number of fsync(2) calls that commit made. */
  syncs = 0;

  constructor(files: StateFiles) {
    this.#files = files;
  }

  /** Stages new content for a file; it is visible after commit. */
  file(path: string, { content, mode, latest = () => content, published = () => {} }: PendingFile): void {
    const temporary = this.#files.writeTemporary(path, content, mode);
    const discard = (): void => rmSync(temporary, { force: true });
    this.#changes.push({
      sync: [temporary],
      publish: () => {
        const wanted = latest();
        if (wanted === null) {
          discard();
          return [];
        }
        if (wanted === content) rename(temporary, path);
        else {
          discard();
          this.#files.replace(path, wanted, mode);
        }
        published();
        return wanted === content ? [dirname(path)] : [path, dirname(path)];
      },
      discard,
    });
  }

  /** Stages the move of a finished directory into place. @param files its files, by full path, that must be durable. */
  directory(
    from: string,
    to: string,
    files: readonly string[],
    { published = () => {}, isThere = () => false }: PendingDirectory = {},
  ): void {
    const discard = (): void => rmSync(from, { recursive: true, force: true });
    this.#changes.push({
      sync: [...files, from],
      publish: () => {
        if (isThere()) discard();
        else rename(from, to);
        published();
        return [dirname(to)];
      },
      discard,
    });
  }

  /**
   * @throws TsdError of the first failure; files not yet renamed are removed and their `published` is not called. Files that
   * were renamed stay, even when the sync of their directory failed.
   */
  async commit(): Promise<void> {
    const [failure] = await DurableBatch.commitTogether([this]);
    if (failure !== undefined) throw failure;
  }

  /** See {@link StateFiles.commitTogether}. */
  static async commitTogether(batches: readonly DurableBatch[]): Promise<readonly unknown[]> {
    if (batches.some((batch) => batch.#done)) throw new Error('this batch has ended');
    const contents = await Promise.all(batches.map((batch) => batch.#syncContents()));
    const published = batches.map((batch, index) => batch.#publish(contents[index]));
    const after = [...new Set(published.flatMap(({ paths }) => [...paths]))];
    const failed = await syncAll(after, { mayBeGone: true });
    const [first] = batches;
    if (first) first.syncs += after.length;
    return published.map(
      ({ failure, paths }) => failure ?? failed.get([...paths].find((path) => failed.has(path)) ?? ''),
    );
  }

  /** Removes everything staged. */
  abandon(): void {
    this.#done = true;
    for (const { discard } of this.#changes.splice(0)) discard();
  }

  /** The first failure, or undefined. */
  async #syncContents(): Promise<unknown> {
    this.#done = true;
    const paths = this.#changes.flatMap(({ sync }) => sync);
    this.syncs += paths.length;
    const [failure] = (await syncAll(paths)).values();
    return failure;
  }

  /** @param before why nothing can be published; undefined where all can. */
  #publish(before: unknown): { readonly failure: unknown; readonly paths: ReadonlySet<string> } {
    const rest = [...this.#changes];
    const paths = new Set<string>();
    let failure = before;
    try {
      for (const change of failure === undefined ? this.#changes : []) {
        for (const path of change.publish()) paths.add(path);
        rest.shift();
      }
    } catch (error) {
      failure = error;
    }
    for (const { discard } of rest) discard();
    return { failure, paths };
  }
}
