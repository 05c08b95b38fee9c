/**
 * Copies of small files that generations pin, under `<root>/contents`: content-addressed, with the mode and owner of the
 * file they were taken from, without its extended attributes and ACL. They are never changed once they are there.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type FileCopy, parseCopyName } from '../model/contents.ts';
import { TsdError } from '../model/errors/errors.ts';
import type { StateFiles } from './files/durable.ts';
import { toStateError } from './files/state-error.ts';
import { errnoCode } from './files/state-file.ts';

function syncDirectory(path: string): void {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Null for a copy that is gone or damaged. @throws TsdError where the disk cannot be read. */
function bytesOf(path: string, name: string): Buffer | null {
  try {
    const bytes = readFileSync(path);
    return createHash('sha256').update(bytes).digest('hex') === parseCopyName(name)?.sha256 ? bytes : null;
  } catch (error) {
    const code = errnoCode(error);
    if (code === 'ENOENT' || code === 'EISDIR') return null;
    throw toStateError(error, `read ${path}`);
  }
}

/** Errors for an existing path that rename cannot replace by a copy. */
function setAside(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return;
  let target = `${path}.damaged-1`;
  for (let n = 2; existsSync(target); n++) target = `${path}.damaged-${n}`;
  renameSync(path, target);
}

export class ContentStore {
  readonly #directory: string;
  readonly #files: StateFiles;
  /** Copies that were found to hold what their name says. */
  readonly #whole = new Set<string>();

  constructor(root: string, files: StateFiles) {
    this.#directory = join(root, 'contents');
    this.#files = files;
  }

  path(name: string): string {
    return join(this.#directory, name);
  }

  /** True for a path of a copy; its name is the last part. */
  holds(path: string): boolean {
    return path.startsWith(`${this.#directory}/`);
  }

  has({ name, bytes }: FileCopy): boolean {
    const found = statSync(this.path(name), { throwIfNoEntry: false });
    // A shorter one is what a power loss left of a rename that was not on the disk.
    return found?.isFile() === true && found.size === bytes && this.isWhole(name);
  }

  /** Whether the content of a copy matches its name: a failing disk can return other bytes. Each supervisor reads it once. */
  isWhole(name: string): boolean {
    if (this.#whole.has(name)) return true;
    const whole = bytesOf(this.path(name), name) !== null;
    if (whole) this.#whole.add(name);
    return whole;
  }

  /**
   * Keeps copies; they are on the disk when it returns. Those that are there stay as they are.
   * @throws TsdError TSD_DISK_FULL, TSD_SYSCALL
   */
  keep(copies: Iterable<{ readonly copy: FileCopy; readonly bytes: Buffer }>): void {
    let added = false;
    try {
      for (const { copy, bytes } of copies) {
        if (this.has(copy)) continue;
        if (!added) mkdirSync(this.#directory, { recursive: true, mode: 0o700 });
        this.#write(copy.name, bytes);
        added = true;
      }
      if (added) syncDirectory(this.#directory);
    } catch (error) {
      throw toStateError(error, `write ${this.#directory}`);
    }
  }

  #write(name: string, bytes: Buffer): void {
    const owner = parseCopyName(name);
    if (owner === null) throw new TsdError('TSD_BUG', `${name} is not the name of a copy`);
    const temporary = this.#files.temporaryPath('content');
    try {
      const fd = openSync(temporary, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
        fchownSync(fd, owner.uid, owner.gid);
        // After the owner: a change of that takes setuid and setgid away.
        fchmodSync(fd, owner.mode);
        fsyncSync(fd);
      } finally {
        closeSync(fd);
      }
      setAside(this.path(name));
      renameSync(temporary, this.path(name));
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  /** What a copy holds. @throws TsdError TSD_CONTENT_MISSING when it is gone or damaged. */
  read(name: string): Buffer {
    const bytes = bytesOf(this.path(name), name);
    if (bytes !== null) return bytes;
    throw new TsdError('TSD_CONTENT_MISSING', `the pinned copy ${this.path(name)} is gone or damaged`);
  }

  /** Names and sizes of all copies. */
  list(): readonly FileCopy[] {
    let names: string[];
    try {
      names = readdirSync(this.#directory);
    } catch (error) {
      if (errnoCode(error) === 'ENOENT') return [];
      throw toStateError(error, `read ${this.#directory}`);
    }
    return names.flatMap((name) => {
      const found = statSync(this.path(name), { throwIfNoEntry: false });
      return found === undefined || parseCopyName(name) === null ? [] : [{ name, bytes: found.size }];
    });
  }

  /** One that is gone is a no-op. */
  remove(name: string): void {
    try {
      rmSync(this.path(name), { force: true, recursive: true });
    } catch (error) {
      throw toStateError(error, `remove ${this.path(name)}`);
    }
  }
}
