import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { fileError } from '../../ffi/layer-files.ts';
import { TsdError } from '../../model/errors.ts';

const run = promisify(execFile);

/** Starts with a dot, so that it is no id. */
const AREA = '.tmp';

/**
 * Where a driver builds what then appears by one rename, and where it moves what is to be deleted. What is left here
 * after a crash belongs to nobody.
 *
 * Trees are deleted by rm(1): what a container wrote may be nested deeper than PATH_MAX, which node:fs cannot delete,
 * and a large tree would keep the event loop or libuv's pool busy.
 */
export class BuildArea {
  readonly #path: string;

  /** @param home the driver's directory; layers are below it, on the same filesystem. */
  constructor(home: string) {
    this.#path = join(home, AREA);
  }

  /** Removes what a crash left. Only the owner of the root directory may call it. */
  clear(): void {
    if (existsSync(this.#path)) execFileSync('rm', ['-rf', '--', this.#path]);
  }

  /** A new empty directory. */
  make(): string {
    mkdirSync(this.#path, { recursive: true, mode: 0o700 });
    return mkdtempSync(join(this.#path, 'b-'));
  }

  /** Deletes a directory of this area. */
  async discard(path: string): Promise<void> {
    try {
      await rm(path, { recursive: true, force: true });
      return;
    } catch {
      // Deeper than PATH_MAX, which rm(1) can take away.
    }
    try {
      await run('rm', ['-rf', '--', path]);
    } catch (cause) {
      throw new TsdError('TSD_SYSCALL', `cannot delete ${path}: ${(cause as Error).message}`, {
        step: 'delete tree',
        cause,
      });
    }
  }

  /**
   * Takes a layer away in one step, then deletes it. Nothing happens when it is absent.
   * @param destroy a faster way to delete it where there is one; what it leaves is deleted as files.
   */
  async remove(path: string, destroy: (path: string) => void = () => {}): Promise<void> {
    if (!existsSync(path)) return;
    const grave = this.make();
    const buried = join(grave, basename(path));
    try {
      renameSync(path, buried);
      destroy(buried);
    } catch (thrown) {
      throw fileError(thrown, `remove ${path}`);
    }
    await this.discard(grave);
  }
}

/**
 * Writes everything of the filesystem that holds `path` to the disk. syncfs(2) may take seconds, so it is neither called on
 * the main thread nor on libuv's pool: sync(1) of coreutils makes the call in a process of its own.
 */
export async function syncFilesystem(path: string): Promise<void> {
  try {
    await run('sync', ['-f', path]);
  } catch (cause) {
    throw new TsdError('TSD_SYSCALL', `cannot sync the filesystem of ${path}: ${(cause as Error).message}`, {
      step: 'syncfs',
      cause,
    });
  }
}
