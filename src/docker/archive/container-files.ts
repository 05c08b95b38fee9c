/**
 * The files of a container as it sees them, looked up from outside: of one that runs, below its root, which has everything
 * mounted in it; of one that does not, in a mount of its layers that no other process sees, and in its volumes. What lies there is
 * not trusted: each lookup goes by descriptors, so that no link leads out, whatever is exchanged meanwhile.
 */
import { closeSync, constants, fstatSync } from 'node:fs';
import type { RootMount } from '../../drivers/contract/graph.ts';
import { AT_FDCWD, find, linkTarget, OPEN_FLAGS, open, openDirectory } from '../../ffi/files/lookup.ts';
import { reopen } from '../../ffi/files/path-walk.ts';
import { mountDetached } from '../../ffi/storage/mounts.ts';
import { mountToRead } from '../../images/tree/root-view.ts';
import { append } from '../../model/lists.ts';

/** include/linux/namei.h MAXSYMLINKS */
const MAX_LINKS = 40;
const HELD = OPEN_FLAGS.path | OPEN_FLAGS.noFollow;

/** A place in the container; the descriptor belongs to who asked. */
export interface FoundPlace {
  readonly fd: number;
  /** Of its path in the container, without links and `..`; byte strings. */
  readonly names: readonly string[];
}

/** A volume, by its path in the container. */
interface MountedPlace {
  readonly source: string;
  readonly writable: boolean;
}

export type Mounts = ReadonlyMap<string, MountedPlace>;

export const splitPath = (path: string): string[] => path.split('/').filter((name) => name !== '' && name !== '.');
export const joinNames = (names: readonly string[]): string => `/${names.join('/')}`;

/** The innermost of the mounts that a place is in; null for the root. */
export function mountOf(mounts: Mounts, names: readonly string[]): string | null {
  for (let length = names.length; length > 0; length--) {
    const path = joinNames(names.slice(0, length));
    if (mounts.has(path)) return path;
  }
  return null;
}

/** Opens the root filesystem of a container that does not run. */
export function openRoot(root: RootMount, toWrite: boolean): number {
  if (root.type === 'bind') return openDirectory('open the root of the container', root.source);
  if (root.type === 'calls' || !toWrite) return mountToRead(root);
  const layers = root.lowers.map((path) => ['lowerdir+', path] as const);
  const own = [['upperdir', root.upper] as const, ['workdir', root.work] as const];
  return mountDetached('mount root to write', 'overlay', [...layers, ...own]);
}

export class ContainerFiles {
  readonly #root: number;
  readonly #mounts: Mounts;
  readonly #opened = new Map<string, number>();

  /** @param root descriptor, closed with this @param mounts what the root does not show */
  constructor(root: number, mounts: Mounts) {
    this.#root = root;
    this.#mounts = mounts;
  }

  /** Opens a place that has no link in its path, and not what its last name leads to. Null where nothing is. */
  openPlain(names: readonly string[]): number | null {
    const mount = mountOf(this.#mounts, names);
    const [at, rest] =
      mount === null ? [this.#root, names] : [this.#mounted(mount), names.slice(splitPath(mount).length)];
    if (at === null) return null;
    if (rest.length === 0) return reopen(at, OPEN_FLAGS.path);
    return find(at, Buffer.from(rest.join('/'), 'latin1'), 'inRootWithoutLinks', HELD);
  }

  /** As {@link openPlain}, of an entry of an open directory. */
  openEntry(directory: number, names: readonly string[]): number | null {
    const path = joinNames(names);
    if (this.#mounts.has(path)) return this.openPlain(names);
    return find(directory, Buffer.from(names.at(-1) ?? '', 'latin1'), 'beneathWithoutLinks', HELD);
  }

  #mounted(path: string): number | null {
    const known = this.#opened.get(path);
    if (known !== undefined) return known;
    const { source } = this.#mounts.get(path) as MountedPlace;
    const fd = find(AT_FDCWD, source, 'trusted', OPEN_FLAGS.path);
    if (fd !== null) this.#opened.set(path, fd);
    return fd;
  }

  /** Follows links, the last one too where that is asked for. @param path a byte string */
  resolve(path: string, followLast: boolean): FoundPlace | null {
    const pending = splitPath(path).reverse();
    let names: string[] = [];
    let links = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '..') {
        names = names.slice(0, -1);
        continue;
      }
      const child = [...names, name];
      const fd = this.openPlain(child);
      if (fd === null) return null;
      const stat = fstatSync(fd);
      const isLast = pending.length === 0;
      if (isLast && (!stat.isSymbolicLink() || !followLast)) return { fd, names: child };
      const link = stat.isSymbolicLink() ? linkTarget(fd).toString('latin1') : null;
      closeSync(fd);
      if (link === null) {
        names = child;
        continue;
      }
      if (++links > MAX_LINKS) return null;
      if (link.startsWith('/')) names = [];
      append(pending, splitPath(link).reverse());
    }
    const fd = this.openPlain(names);
    return fd === null ? null : { fd, names };
  }

  close(): void {
    for (const fd of [this.#root, ...this.#opened.values()]) closeSync(fd);
    this.#opened.clear();
  }
}

/** The root of a process, with all that is mounted there. */
export function rootOfProcess(pid: number): number {
  return open(
    'open the root of the container',
    AT_FDCWD,
    `/proc/${pid}/root`,
    'trusted',
    OPEN_FLAGS.path | OPEN_FLAGS.directory,
  );
}

/** A descriptor of a directory that can be read, of one that is only held. */
export const toRead = (fd: number): number => reopen(fd, constants.O_RDONLY | constants.O_DIRECTORY);
