import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { fileError } from '../../ffi/files/layer-files.ts';
import { emptyDirectory, removeTree } from '../../ffi/files/remove-tree.ts';
import { TsdError } from '../../model/errors/errors.ts';

const run = promisify(execFile);

/** Starts with a dot, so that it is no id. */
const AREA = '.tmp';

/**
 * Where a driver builds what then appears by one rename, and where it moves what is to be deleted. What is left here
 * after a crash is unused.
 */
export class BuildArea {
  readonly #path: string;

  /** @param home the driver's directory; layers are below it, on the same filesystem. */
  constructor(home: string) {
    this.#path = join(home, AREA);
  }

  /**
   * Removes what a crash left; large trees are removed in the background. Only the owner of the root directory may call it.
   * @throws TsdError for what cannot be deleted
   */
  clear(): void {
    if (!existsSync(this.#path)) return;
    const [failed] = emptyDirectory(this.#path);
    if (failed !== undefined) throw fileError(failed.error, `delete ${failed.path}`);
  }

  /** A new empty directory. */
  make(): string {
    mkdirSync(this.#path, { recursive: true, mode: 0o700 });
    return mkdtempSync(join(this.#path, 'b-'));
  }

  /** Deletes a directory of this area. */
  discard(path: string): Promise<void> {
    return removeTree(path);
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
