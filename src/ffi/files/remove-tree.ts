/**
 * Deleting trees that someone else filled: no link in them is followed, whatever is exchanged meanwhile, and a large one keeps
 * neither the event loop nor libuv's pool busy. What a killed supervisor leaves of one is deleted at the next start.
 */
import { execFile, spawn } from 'node:child_process';
import { closeSync, lstatSync, mkdtempSync, readdirSync, renameSync, rmdirSync, unlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { TsdError } from '../../model/errors/errors.ts';
import { fileError } from './layer-files.ts';
import { AT_FDCWD, find, OPEN_FLAGS } from './lookup.ts';
import { nameBatches } from './read-directory.ts';

const run = promisify(execFile);

/** Files that are deleted here, in a millisecond or two: starting a program takes about as long. */
const FEW = 200;
/** Directories in each other; each is held open. rm(1) takes away what is nested deeper than PATH_MAX too. */
const SHALLOW = 32;
/** Where what is large waits for its end, in the directory that is emptied. */
const ASIDE = '.going-';

class TooMany extends Error {}

class FewFiles {
  #left = FEW;

  /** @param at descriptor of a directory. @throws TooMany when it is not gone then */
  remove(at: number, name: Buffer, depth: number): void {
    if (this.#left-- === 0 || depth > SHALLOW) throw new TooMany();
    const held = Buffer.concat([Buffer.from(`/proc/self/fd/${at}/`), name]);
    const stat = lstatSync(held, { throwIfNoEntry: false });
    if (stat === undefined) return;
    if (!stat.isDirectory()) {
      unlessGone(() => unlinkSync(held));
      return;
    }
    const directory = find(at, name, 'beneathWithoutLinks', OPEN_FLAGS.directory | OPEN_FLAGS.noFollow);
    if (directory === null) return;
    try {
      // All names first: a directory that is changed while it is read may leave some out.
      for (const below of firstNames(directory)) this.remove(directory, below, depth + 1);
    } finally {
      closeSync(directory);
    }
    unlessGone(() => rmdirSync(held));
  }
}

/** What an earlier process began to delete may still continue. */
function unlessGone(remove: () => void): void {
  try {
    remove();
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
  }
}

/** @throws TooMany when there are more than a few. */
function firstNames(directory: number): Buffer[] {
  const found: Buffer[] = [];
  for (const names of nameBatches(directory)) {
    for (const name of names) found.push(name);
    if (found.length > FEW) throw new TooMany();
  }
  return found;
}

/** Deletes a small tree at once. @returns false for a large one, of which a part may be gone. @throws the file system's error */
function removeFew(path: string): boolean {
  const parent = find(AT_FDCWD, dirname(path), 'trusted', OPEN_FLAGS.directory);
  if (parent === null) return true;
  try {
    new FewFiles().remove(parent, Buffer.from(basename(path)), 0);
    return true;
  } catch (thrown) {
    if (thrown instanceof TooMany) return false;
    throw thrown;
  } finally {
    closeSync(parent);
  }
}

/** Deletes a file or a tree; a missing path is no error. @param path absolute and trusted, but for what is below it */
export async function removeTree(path: string): Promise<void> {
  try {
    if (removeFew(path)) return;
    await run('rm', ['-rf', '--', path]);
  } catch (thrown) {
    const step = `delete ${path}`;
    if (thrown instanceof TsdError || (thrown as NodeJS.ErrnoException).syscall !== undefined)
      throw fileError(thrown, step);
    const message = `cannot delete ${path}: ${(thrown as Error).message}`;
    throw new TsdError('TSD_SYSCALL', message, { step, cause: thrown });
  }
}

export interface Undeleted {
  readonly path: string;
  readonly error: unknown;
}

/**
 * Empties a directory of what a killed process left in it. What is large is moved aside at once, and deleted while the caller
 * and the process continue, or after their end; the next call finds what is still there then.
 * @returns what cannot be deleted
 */
export function emptyDirectory(directory: string): Undeleted[] {
  const failed: Undeleted[] = [];
  const large: string[] = [];
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    try {
      if (removeFew(path)) continue;
      large.push(name.startsWith(ASIDE) ? path : moveAside(directory, name));
    } catch (error) {
      failed.push({ path, error });
    }
  }
  if (large.length > 0) removeBeside(large);
  return failed;
}

function moveAside(directory: string, name: string): string {
  const aside = mkdtempSync(join(directory, ASIDE));
  renameSync(join(directory, name), join(aside, 'tree'));
  return aside;
}

/** In a process that does not keep this one from ending. */
function removeBeside(paths: readonly string[]): void {
  const child = spawn('rm', ['-rf', '--', ...paths], { detached: true, stdio: 'ignore' });
  // The next start finds leftovers.
  child.on('error', () => {});
  child.unref();
}
