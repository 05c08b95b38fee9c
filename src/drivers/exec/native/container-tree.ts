/**
 * A container's file tree as it will be seen from inside, looked at from outside before it exists: the root mount and what
 * will be mounted in it. Content is not trusted; no lookup can leave the tree.
 */

import { closeSync, constants as fsConstants, fstatSync, openSync, readlinkSync } from 'node:fs';
import { constants as os } from 'node:os';
import { posix } from 'node:path';
import { sysError } from '../../../ffi/call/errno.ts';
import { makeDirectoryAt } from '../../../ffi/files/files.ts';
import { AT_FDCWD, find, linkTarget, OPEN_FLAGS, open } from '../../../ffi/files/lookup.ts';
import { OWN_FAILURES } from '../../../model/errors/error-class.ts';
import { TsdError, toTsdError } from '../../../model/errors/errors.ts';
import { append } from '../../../model/lists.ts';
import { readStart } from './regular-file.ts';

/** A file tree in which the names of a container are looked up. */
export interface FileTree {
  /**
   * Opens an absolute path with O_PATH, following links inside the tree.
   * @returns a descriptor; null when nothing is there. @throws TsdError when that could not be found out.
   */
  find(path: string): number | null;
}

/** A tree that exists already, below one descriptor. */
export function mountedTree(rootFd: number): FileTree {
  return { find: (path) => find(rootFd, path, 'inRoot', OPEN_FLAGS.path) };
}

/** What lies at a mount point: a tree of the host, or something that exists only once the container does. */
type Mounted = { readonly type: 'host'; readonly source: string; fd: number | null } | { readonly type: 'new' };

/** Where a mount goes. */
export interface MountTarget {
  /** Path in the container without links and `..`, also for what does not exist yet. */
  readonly path: string;
  /**
   * Set when it lies in a filesystem that does not exist yet, mounted at `mountPoint`: `names` are to be created there,
   * one in the other, the last of them as the target itself.
   */
  readonly createdIn: { readonly mountPoint: string; readonly names: readonly string[] } | null;
}

/** The kernel's own bound on links in one path, include/linux/namei.h MAXSYMLINKS */
const MAX_LINKS = 40;
const TARGET_MODE = 0o755;

function join(names: readonly string[]): string {
  return `/${names.join('/')}`;
}

function split(path: string): string[] {
  return path.split('/').filter((name) => name !== '' && name !== '.');
}

interface Location {
  readonly names: readonly string[];
  /** Close-on-exec O_PATH descriptor; `new` in what does not exist yet. */
  readonly fd: number | 'new';
}

/** Why nothing is there: names of errno. */
type Absence = 'ENOENT' | 'ENOTDIR' | 'ELOOP';

export class ContainerTree implements FileTree {
  readonly #rootFd: number;
  readonly #mounts = new Map<string, Mounted>();
  #crossed = false;

  /** @param rootFd stays the caller's. */
  constructor(rootFd: number) {
    this.#rootFd = rootFd;
  }

  /** From now on `source` of the host is found at `path` (as {@link target} gave it). */
  addHostMount(path: string, source: string): void {
    this.#forget(path);
    this.#mounts.set(path, { type: 'host', source, fd: null });
  }

  /** From now on a filesystem that only the container will have is at `path`. */
  addNewMount(path: string): void {
    this.#forget(path);
    this.#mounts.set(path, { type: 'new' });
  }

  /** Whether a name was looked up in a tree of the host since {@link amongNeighbours} was called last. */
  get crossed(): boolean {
    return this.#crossed;
  }

  /**
   * Does what looks names up. A volume or a bind may be filled by others, so what is wrong in one may be right in a
   * moment: an error that names in it lead to is no fault of the container, and it is tried again.
   */
  amongNeighbours<T>(work: () => T): T {
    this.#crossed = false;
    try {
      return work();
    } catch (thrown) {
      const error = toTsdError(thrown);
      if (!this.#crossed || !OWN_FAILURES.has(error.class)) throw error;
      const { step, errno } = error;
      throw new TsdError(error.code, error.message, {
        class: 'unavailable',
        step,
        errno,
        hint: 'It lies in a volume or bind that others may change. It is tried again by itself.',
        cause: error,
      });
    }
  }

  find(path: string): number | null {
    const fd = find(this.#rootFd, path, 'inRoot', OPEN_FLAGS.path);
    if (this.#mounts.size === 0) return fd;
    if (fd !== null) {
      if (!this.#isCovered(this.#pathOf(fd))) return fd;
      closeSync(fd);
    }
    const found = this.#walk(path, false);
    return typeof found === 'string' || found.fd === 'new' ? null : found.fd;
  }

  /**
   * Finds or makes a mount point; what is missing is created with mode 0755, directories on the way included.
   * @throws TsdError when something other than `type` is in the way.
   */
  target(path: string, type: 'directory' | 'file'): MountTarget {
    const step = `mount ${path}`;
    const fd = find(this.#rootFd, path, 'inRoot', OPEN_FLAGS.path, step);
    if (fd !== null) {
      try {
        const real = this.#pathOf(fd);
        if (!this.#isCovered(real)) {
          checkType(fd, type, path);
          return { path: real, createdIn: null };
        }
      } finally {
        closeSync(fd);
      }
    }
    const found = this.#walk(path, true, type);
    if (typeof found === 'string') throw sysError('openat2', os.errno[found], step);
    if (found.fd === 'new') return this.#targetInNewMount(found.names);
    try {
      checkType(found.fd, type, path);
    } finally {
      closeSync(found.fd);
    }
    return { path: join(found.names), createdIn: null };
  }

  /** Closes what lookups opened. */
  close(): void {
    for (const path of [...this.#mounts.keys()]) this.#forget(path);
  }

  #forget(path: string): void {
    const mounted = this.#mounts.get(path);
    if (mounted?.type === 'host' && mounted.fd !== null) closeSync(mounted.fd);
    this.#mounts.delete(path);
  }

  #targetInNewMount(names: readonly string[]): MountTarget {
    const mountPoint = this.#mountPointOf(names);
    if (mountPoint === null) throw new TsdError('TSD_BUG', `${join(names)} is in no mount`);
    return { path: join(names), createdIn: { mountPoint, names: names.slice(split(mountPoint).length) } };
  }

  /** Path inside the root mount of an open file; valid because the mount is detached and its root has no name. */
  #pathOf(fd: number): string {
    return readlinkSync(`/proc/self/fd/${fd}`);
  }

  #isCovered(path: string): boolean {
    return this.#mountPointOf(split(path)) !== null;
  }

  /** The innermost mount point at or above, or null for the root. */
  #mountPointOf(names: readonly string[]): string | null {
    for (let length = names.length; length > 0; length--) {
      const path = join(names.slice(0, length));
      if (this.#mounts.has(path)) return path;
    }
    return null;
  }

  /** Opens a place that has no links in its path. */
  #openPlain(names: readonly string[]): number | 'new' | 'ENOENT' {
    const mountPoint = this.#mountPointOf(names);
    const openIn = (directory: number, path: string): number | 'ENOENT' =>
      find(directory, path, 'inRoot', OPEN_FLAGS.path | OPEN_FLAGS.noFollow) ?? 'ENOENT';
    if (mountPoint === null) return openIn(this.#rootFd, names.join('/'));
    const mounted = this.#mounts.get(mountPoint);
    if (mounted?.type !== 'host') return 'new';
    mounted.fd ??= open(`open ${mounted.source}`, AT_FDCWD, mounted.source, 'trusted', OPEN_FLAGS.path);
    const rest = names.slice(split(mountPoint).length);
    if (rest.length > 0) {
      this.#crossed = true;
      return openIn(mounted.fd, rest.join('/'));
    }
    return openSync(`/proc/self/fd/${mounted.fd}`, OPEN_FLAGS.path);
  }

  /** Name by name, crossing the mounts. @returns the errno when it does not exist and may not be created. */
  #walk(path: string, create: boolean, type: 'directory' | 'file' = 'directory'): Location | Absence {
    const pending = split(path).reverse();
    let names: string[] = [];
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '..') {
        names = names.slice(0, -1);
        continue;
      }
      const child = [...names, name];
      if (this.#mounts.has(join(child))) {
        names = child;
        continue;
      }
      const fd = this.#openOrCreate(child, create, pending.length === 0 ? type : 'directory');
      if (fd === 'new') {
        // Nothing is there yet, so no link either; a `..` that follows may lead back to where there are some.
        if (!create) return 'ENOENT';
        names = child;
        continue;
      }
      if (typeof fd === 'string') return fd;
      let isFound = false;
      try {
        const stat = fstatSync(fd);
        if (stat.isSymbolicLink()) {
          if (++links > MAX_LINKS) return 'ELOOP';
          const link = linkTarget(fd).toString();
          if (link.startsWith('/')) names = [];
          append(pending, split(link).reverse());
        } else {
          if (pending.length > 0 && !stat.isDirectory()) return 'ENOTDIR';
          names = child;
          isFound = pending.length === 0;
        }
        if (isFound) return { names, fd };
      } finally {
        if (!isFound) closeSync(fd);
      }
    }
    const fd = this.#openPlain(names);
    return fd === 'ENOENT' ? fd : { names, fd };
  }

  #openOrCreate(names: readonly string[], create: boolean, type: 'directory' | 'file'): number | 'new' | 'ENOENT' {
    const fd = this.#openPlain(names);
    if (fd !== 'ENOENT' || !create) return fd;
    const parent = this.#openPlain(names.slice(0, -1));
    if (typeof parent === 'string') return parent;
    try {
      const name = names.at(-1) ?? '';
      if (type === 'directory') makeDirectoryAt(parent, name, TARGET_MODE);
      else createFileAt(parent, name);
    } finally {
      closeSync(parent);
    }
    return this.#openPlain(names);
  }
}

/** With O_EXCL no link is followed; a file that came into being meanwhile is as good. */
function createFileAt(directoryFd: number, name: string): void {
  const flags = fsConstants.O_CREAT | fsConstants.O_EXCL | fsConstants.O_WRONLY;
  try {
    closeSync(openSync(`/proc/self/fd/${directoryFd}/${name}`, flags, TARGET_MODE));
  } catch (thrown) {
    const { code, errno } = thrown as NodeJS.ErrnoException;
    if (code !== 'EEXIST') throw sysError('openat', -(errno ?? -os.errno.EIO), `create ${name}`);
  }
}

function checkType(fd: number, type: 'directory' | 'file', path: string): void {
  const isDirectory = fstatSync(fd).isDirectory();
  if (isDirectory === (type === 'directory')) return;
  throw new TsdError(
    'TSD_CONTAINER_SETUP',
    `cannot mount a ${type} at ${path}: the image has a ${isDirectory ? 'directory' : 'file'} there`,
    { step: `mount ${path}` },
  );
}

/** Absolute, without `.`, `..` and repeated slashes. @throws TsdError when it is relative, empty or has a NUL. */
export function containerPath(path: string, step: string): string {
  if (!path.startsWith('/') || path.includes('\0')) {
    throw new TsdError('TSD_CONTAINER_SETUP', `${step}: ${JSON.stringify(path)} is not an absolute path`, { step });
  }
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}

/** Larger than any user database, small enough to be read at once. */
const MAX_TEXT_BYTES = 1024 * 1024;

/**
 * Reads a regular file of the tree. Nothing else is opened: a FIFO would block, a device may act when it is opened.
 * @returns null when it does not exist. @throws TsdError TSD_CONTAINER_SETUP for what is no regular file or too large.
 */
export function readTextFile(tree: FileTree, path: string): string | null {
  const fd = tree.find(path);
  if (fd === null) return null;
  try {
    const stat = fstatSync(fd);
    if (!stat.isFile() || stat.size > MAX_TEXT_BYTES) {
      const what = stat.isFile() ? `larger than ${MAX_TEXT_BYTES} bytes` : 'not a regular file';
      throw new TsdError('TSD_CONTAINER_SETUP', `${path} of the image is ${what}`, { step: `read ${path}` });
    }
    // What /proc shows has no size: its content is made while it is read, by somebody's leave and of any length.
    return readStart(fd, path, stat.size).toString('utf8');
  } finally {
    closeSync(fd);
  }
}
