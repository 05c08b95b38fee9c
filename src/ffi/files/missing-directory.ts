/**
 * Making a directory of the host where it is missing, as root, on a path that others may be able to change: every name is
 * looked up below the descriptor of the directory before it. A link on the way is followed only where only root can
 * have put it there.
 */
import { type BigIntStats, closeSync, fchmodSync, fchownSync, fstatSync, readdirSync, rmdirSync } from 'node:fs';
import { constants as os } from 'node:os';
import { sysError } from '../call/errno.ts';
import { syscall } from '../call/native.ts';
import { makeDirectoryAt } from './files.ts';
import { find, linkTarget, OPEN_FLAGS, open, openDirectory } from './lookup.ts';

export interface DirectoryAttributes {
  readonly uid: number;
  readonly gid: number;
  /** Permission bits. */
  readonly mode: number;
}

/** include/linux/namei.h: MAXSYMLINKS */
const MAX_LINKS = 40;
/** include/uapi/linux/fs.h */
const RENAME_NOREPLACE = 1;
const PARENT_MODE = 0o755;
const STICKY = 0o1000n;
const WRITABLE_BY_OTHERS = 0o022n;

/** The link could not have been put there, or exchanged, by anyone but root. */
function isRootsOwn(link: BigIntStats, directory: BigIntStats): boolean {
  const closed = (directory.mode & WRITABLE_BY_OTHERS) === 0n || (directory.mode & STICKY) !== 0n;
  return link.uid === 0n && directory.uid === 0n && closed;
}

const namesOf = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');

function removeEmpty(path: string): void {
  try {
    rmdirSync(path);
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT') throw thrown;
  }
}

/** From the root to where a walk has come: one descriptor a directory, so that `..` is the directory before. */
class Walk {
  readonly #step: string;
  readonly #fds: number[];
  #links = 0;

  constructor(path: string) {
    this.#step = `create directory ${path}`;
    this.#fds = [openDirectory('open /', '/')];
  }

  get fd(): number {
    return this.#fds.at(-1) ?? -1;
  }

  close(): void {
    for (const fd of this.#fds) closeSync(fd);
  }

  /** Enters names one after the other. @returns those that are left when one of them is missing. @throws TsdError */
  enter(names: readonly string[]): string[] {
    let left = [...names];
    for (let name = left.shift(); name !== undefined; name = left.shift()) {
      if (name === '..') this.#leave();
      else {
        const found = find(this.fd, name, 'inRoot', OPEN_FLAGS.path | OPEN_FLAGS.noFollow, this.#step);
        if (found === null) return [name, ...left];
        const stat = fstatSync(found, { bigint: true });
        if (!stat.isSymbolicLink()) this.#fds.push(found);
        else {
          try {
            left = [...this.#followed(found, stat), ...left];
          } finally {
            closeSync(found);
          }
        }
      }
    }
    return [];
  }

  /** @throws TsdError ENOTDIR */
  requireDirectory(): void {
    if (!fstatSync(this.fd).isDirectory()) throw this.#error(os.errno.ENOTDIR);
  }

  /** One more directory of the path, created as root creates it. */
  makeParent(name: string): void {
    makeDirectoryAt(this.fd, name, PARENT_MODE);
    this.#fds.push(this.#open(name, OPEN_FLAGS.path));
    this.requireDirectory();
  }

  /**
   * The last one: under another name until it has its owner and mode, and then only where nothing stands. What an
   * interrupted attempt left is taken away first.
   */
  makeLast(name: string, { uid, gid, mode }: DirectoryAttributes): void {
    const draft = `.${name.slice(0, 200)}.tsdocker-new`;
    const draftPath = `/proc/self/fd/${this.fd}/${draft}`;
    removeEmpty(draftPath);
    makeDirectoryAt(this.fd, draft, 0o700);
    try {
      const fd = this.#open(draft, OPEN_FLAGS.directory);
      try {
        this.#requireUntouched(fd);
        fchownSync(fd, uid, gid);
        fchmodSync(fd, mode);
      } finally {
        closeSync(fd);
      }
      syscall(this.#step, 'renameat2', this.fd, draft, this.fd, name, RENAME_NOREPLACE);
    } catch (thrown) {
      removeEmpty(draftPath);
      throw thrown;
    }
  }

  /** Who may write to the directory can put another one in place of the new one. */
  #requireUntouched(fd: number): void {
    const { uid, mode } = fstatSync(fd);
    const untouched = uid === 0 && (mode & 0o7777) === 0o700 && readdirSync(`/proc/self/fd/${fd}`).length === 0;
    if (!untouched) throw this.#error(os.errno.EEXIST);
  }

  #open(name: string, flags: number): number {
    return open(this.#step, this.fd, name, 'inRoot', flags | OPEN_FLAGS.noFollow);
  }

  #leave(): void {
    const fd = this.#fds.length > 1 ? this.#fds.pop() : undefined;
    if (fd !== undefined) closeSync(fd);
  }

  #followed(fd: number, link: BigIntStats): string[] {
    this.#links++;
    if (this.#links > MAX_LINKS || !isRootsOwn(link, fstatSync(this.fd, { bigint: true })))
      throw this.#error(os.errno.ELOOP);
    const target = linkTarget(fd).toString();
    if (target.startsWith('/')) while (this.#fds.length > 1) this.#leave();
    return namesOf(target);
  }

  #error(errno: number) {
    return sysError('mkdirat', errno, this.#step);
  }
}

/**
 * Creates a directory if its path is free, with missing parents (0755, root). An existing path stays
 * as it is, whatever it is.
 * @param path absolute. @returns false when the path existed.
 * @throws TsdError with errno; ELOOP for a link on the way that someone else than root could have put there.
 */
export function makeMissingDirectory(path: string, attributes: DirectoryAttributes): boolean {
  const walk = new Walk(path);
  const mask = process.umask(0o022);
  try {
    const missing = walk.enter(namesOf(path));
    if (missing.length === 0) return false;
    walk.requireDirectory();
    if (missing.includes('..')) throw sysError('mkdirat', os.errno.ENOENT, `create directory ${path}`);
    const last = missing.pop() ?? '';
    for (const name of missing) walk.makeParent(name);
    walk.makeLast(last, attributes);
    return true;
  } finally {
    process.umask(mask);
    walk.close();
  }
}
