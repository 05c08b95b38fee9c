/**
 * Writing state so that a reader sees the old or the new content, never a part of it. Two grades:
 * *derivable* files survive a killed supervisor but, after a power loss, may be lost or torn and are built again;
 * *durable* ones are on the disk when the {@link DurableBatch} they were put into has been committed.
 */
import { closeSync, constants, ftruncateSync, openSync, renameSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { toStateError } from './state-error.ts';

function rename(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    rmSync(from, { force: true, recursive: true });
    throw toStateError(error, `rename ${to}`);
  }
}

interface StagedFile {
  readonly path: string;
  readonly temporary: string;
  superseded: boolean;
}

/** One step of a group commit. */
interface Change {
  /** What must be on the disk before. */
  readonly sync: readonly string[];
  /** Where the rename happens. */
  readonly directory: string;
  /** Renames. Returns paths that must still be brought to the disk. */
  publish(): readonly string[];
  discard(): void;
}

/** Writes through a directory for unfinished things, which is emptied at every start. */
export class StateFiles {
  /** On the same filesystem as every file written. */
  readonly tmpDir: string;
  #temporaries = 0;
  /** By final path, in the order staged. */
  readonly #staged = new Map<string, readonly StagedFile[]>();

  constructor(tmpDir: string) {
    this.tmpDir = tmpDir;
  }

  /** A path in the temporary directory that nobody else uses; its name tells what it is for. */
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

  /** Replaces a derivable file. @throws TsdError TSD_DISK_FULL, TSD_SYSCALL; then the old content stands. */
  replace(path: string, content: string | Buffer, mode: number): void {
    const temporary = this.writeTemporary(path, content, mode);
    rename(temporary, path);
    for (const staged of this.#staged.get(path) ?? []) staged.superseded = true;
  }

  /** Notes content that waits for its batch, so that a later write of the same file is not undone by the commit. */
  stage(path: string, content: string | Buffer, mode: number): StagedFile {
    const staged = { path, temporary: this.writeTemporary(path, content, mode), superseded: false };
    this.#staged.set(path, [...(this.#staged.get(path) ?? []), staged]);
    return staged;
  }

  /** Publishes staged content unless a later write of the file was published before: returns false then. */
  publish(staged: StagedFile): boolean {
    if (!staged.superseded) {
      rename(staged.temporary, staged.path);
      const waiting = this.#staged.get(staged.path) ?? [];
      for (const older of waiting.slice(0, waiting.indexOf(staged))) older.superseded = true;
    }
    this.unstage(staged);
    return !staged.superseded;
  }

  /** Forgets staged content. */
  unstage(staged: StagedFile): void {
    const waiting = (this.#staged.get(staged.path) ?? []).filter((other) => other !== staged);
    if (waiting.length === 0) this.#staged.delete(staged.path);
    else this.#staged.set(staged.path, waiting);
    rmSync(staged.temporary, { force: true });
  }

  /** A group commit of durable changes. */
  batch(): DurableBatch {
    return new DurableBatch(this);
  }
}

/**
 * Rewrites a file without changing its inode, for files that are bind-mounted into a running container: a renamed one
 * would not be seen there. The new text is written over the old before the rest is cut off, so it is never empty.
 */
export function rewriteInPlace(path: string, text: string, mode: number): void {
  try {
    const fd = openSync(
      path,
      constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK,
      mode,
    );
    try {
      const bytes = Buffer.from(text);
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at, bytes.length - at, at);
      ftruncateSync(fd, bytes.length);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    throw toStateError(error, `write ${path}`);
  }
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

  /** Stages new content for a file; it is visible after commit. @param published called when it is in place. */
  file(path: string, content: string | Buffer, mode: number, published: () => void = () => {}): void {
    const staged = this.#files.stage(path, content, mode);
    this.#changes.push({
      sync: [staged.temporary],
      directory: dirname(path),
      publish: () => {
        // The later write is in place but not yet on the disk.
        if (!this.#files.publish(staged)) return [path];
        published();
        return [];
      },
      discard: () => this.#files.unstage(staged),
    });
  }

  /** Stages the move of a finished directory into place. @param files its files, by full path, that must be durable. */
  directory(from: string, to: string, files: readonly string[], published: () => void = () => {}): void {
    this.#changes.push({
      sync: [...files, from],
      directory: dirname(to),
      publish: () => {
        rename(from, to);
        published();
        return [];
      },
      discard: () => rmSync(from, { recursive: true, force: true }),
    });
  }

  /** @throws TsdError of the first failure; what was not yet renamed is removed and its `published` is not called. */
  async commit(): Promise<void> {
    if (this.#done) throw new Error('this batch has ended');
    this.#done = true;
    const rest = [...this.#changes];
    const late: string[] = [];
    try {
      await this.#sync(rest.flatMap(({ sync }) => sync));
      for (const change of this.#changes) {
        late.push(...change.publish());
        rest.shift();
      }
    } finally {
      for (const { discard } of rest) discard();
    }
    await this.#sync([...late, ...new Set(this.#changes.map(({ directory }) => directory))]);
  }

  /** Removes everything staged. */
  abandon(): void {
    this.#done = true;
    for (const { discard } of this.#changes.splice(0)) discard();
  }

  async #sync(paths: readonly string[]): Promise<void> {
    this.syncs += paths.length;
    const results = await Promise.allSettled(paths.map(syncPath));
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }
}
