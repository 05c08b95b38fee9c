/**
 * A directory that someone else fills, read so that nothing outside of it is ever reached: every lookup is one of lookup.ts
 * below one descriptor. Names are byte strings (latin1 text, one character a byte), because file names are bytes.
 */
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readlinkSync,
  readSync,
} from 'node:fs';
import { constants as os } from 'node:os';
import { sortInSteps } from '../../model/sort-in-steps.ts';
import { sysError } from '../call/errno.ts';
import { fileError } from './layer-files.ts';
import { find, OPEN_FLAGS, open, openDirectory } from './lookup.ts';
import { nameBatches } from './read-directory.ts';

export interface FoundFile {
  /** Relative to the root, without links in it; empty for the root itself. */
  readonly path: string;
  /** Names the file until the walk continues; the directory it is in cannot be exchanged. */
  readonly hostPath: Buffer;
  readonly stat: BigIntStats;
}

const bytesOf = (path: string): Buffer => Buffer.from(path, 'latin1');

export class Beneath {
  readonly #fd: number;

  /** @param fd an O_PATH descriptor of the root, closed by {@link close}. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** @param path trusted; links in it are followed. @throws TsdError with errno. */
  static open(path: string): Beneath {
    return new Beneath(openDirectory(`open ${path}`, path));
  }

  close(): void {
    closeSync(this.#fd);
  }

  /**
   * The path without links that a path leads to, as a process sees it whose root this is.
   * @param path byte string; links and `..` stay inside.
   * @returns null when nothing is there. @throws TsdError when that could not be found out.
   */
  resolve(path: string): string | null {
    const fd = find(this.#fd, bytesOf(path), 'inRoot', OPEN_FLAGS.path);
    if (fd === null) return null;
    try {
      const root = readlinkSync(`/proc/self/fd/${this.#fd}`, { encoding: 'buffer' }).toString('latin1');
      const found = readlinkSync(`/proc/self/fd/${fd}`, { encoding: 'buffer' }).toString('latin1');
      return found.slice(root === '/' ? 0 : root.length).replace(/^\//, '');
    } finally {
      closeSync(fd);
    }
  }

  /**
   * What is at a path without links; null when nothing does, or a link is on the way.
   * @throws TsdError when that could not be found out.
   */
  stat(path: string): BigIntStats | null {
    const flags = OPEN_FLAGS.path | OPEN_FLAGS.noFollow;
    const fd = find(this.#fd, bytesOf(path), 'beneathWithoutLinks', flags);
    if (fd === null) return null;
    try {
      return fstatSync(fd, { bigint: true });
    } finally {
      closeSync(fd);
    }
  }

  /** Opens a regular file to read it; nothing else is opened. @throws TsdError with errno. */
  openFile(path: string): number {
    const step = `read ${bytesOf(path).toString()}`;
    const held = this.#open(step, path, OPEN_FLAGS.path | OPEN_FLAGS.noFollow);
    try {
      const stat = fstatSync(held);
      if (!stat.isFile()) throw sysError('openat2', stat.isSymbolicLink() ? os.errno.ELOOP : os.errno.EINVAL, step);
      return openSync(`/proc/self/fd/${held}`, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (thrown) {
      throw fileError(thrown, step);
    } finally {
      closeSync(held);
    }
  }

  /** Text of a small regular file; null when there is none or it is larger. */
  readText(path: string, maxBytes: number): string | null {
    const stat = this.stat(path);
    if (stat === null || !stat.isFile() || stat.size > BigInt(maxBytes)) return null;
    const fd = this.openFile(path);
    try {
      const buffer = Buffer.alloc(Number(stat.size));
      return buffer.toString('utf8', 0, readSync(fd, buffer, 0, buffer.length, 0));
    } finally {
      closeSync(fd);
    }
  }

  /** Names in a directory, sorted by their bytes, found in steps. @throws TsdError with errno. */
  *names(path: string): Generator<null, string[]> {
    const fd = this.#openDirectory(path);
    try {
      return yield* sortedNames(fd);
    } finally {
      closeSync(fd);
    }
  }

  /** Looks at one file by a path without links. @throws TsdError with errno when nothing is there. */
  look<T>(path: string, use: (found: FoundFile) => T): T {
    const walk = this.walk(path);
    try {
      const { value } = walk.next();
      if (!value) throw sysError('lstat', os.errno.ENOENT, `look at ${path}`);
      return use(value);
    } finally {
      walk.return(undefined);
    }
  }

  /**
   * A file and, for a directory, everything below it: parents first, sorted by name. Links are found and not followed. Null is
   * a step without a file.
   * @param enter asked for each directory below the first; false passes over what is in it.
   */
  *walk(start: string, enter: (path: string) => boolean = () => true): Generator<FoundFile | null, undefined> {
    const slash = start.lastIndexOf('/');
    const name = start.slice(slash + 1);
    if (start !== '') {
      const parent = this.#openDirectory(start.slice(0, Math.max(0, slash)));
      let isDirectory = false;
      try {
        const found = fileIn(parent, name, start);
        isDirectory = found.stat.isDirectory();
        yield found;
      } finally {
        closeSync(parent);
      }
      if (isDirectory) yield* this.#walkDirectory(start, enter);
      return;
    }
    yield {
      path: '',
      hostPath: Buffer.from(`/proc/self/fd/${this.#fd}/.`),
      stat: fstatSync(this.#fd, { bigint: true }),
    };
    yield* this.#walkDirectory('', enter);
  }

  *#walkDirectory(path: string, enter: (path: string) => boolean): Generator<FoundFile | null, undefined> {
    const fd = this.#openDirectory(path);
    try {
      for (const name of yield* sortedNames(fd)) {
        const child = path === '' ? name : `${path}/${name}`;
        const stat = statIn(fd, name);
        // It went away between the two calls.
        if (stat === null) continue;
        yield { path: child, hostPath: pathIn(fd, name), stat };
        if (stat.isDirectory() && enter(child)) yield* this.#walkDirectory(child, enter);
      }
    } finally {
      closeSync(fd);
    }
  }

  #openDirectory(path: string): number {
    const step = `read directory ${bytesOf(path).toString()}`;
    return this.#open(step, path, OPEN_FLAGS.directory | OPEN_FLAGS.noFollow);
  }

  #open(step: string, path: string, flags: number): number {
    return open(step, this.#fd, bytesOf(path), 'beneathWithoutLinks', flags);
  }
}

function* sortedNames(fd: number): Generator<null, string[]> {
  const names: string[] = [];
  for (const batch of nameBatches(fd)) {
    for (const name of batch) names.push(name.toString('latin1'));
    yield null;
  }
  return yield* sortInSteps(names, (a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function pathIn(fd: number, name: string): Buffer {
  return Buffer.concat([Buffer.from(`/proc/self/fd/${fd}/`), bytesOf(name)]);
}

function statIn(fd: number, name: string): BigIntStats | null {
  return lstatSync(pathIn(fd, name), { bigint: true, throwIfNoEntry: false }) ?? null;
}

function fileIn(fd: number, name: string, path: string): FoundFile {
  const stat = statIn(fd, name);
  if (stat === null) throw sysError('lstat', os.errno.ENOENT, `look at ${bytesOf(path).toString()}`);
  return { path, hostPath: pathIn(fd, name), stat };
}
