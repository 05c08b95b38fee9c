/**
 * Unpacks a tar into a directory of a container. Names lead nowhere but into the container, links on the way too; what is
 * there already is replaced, and never written through.
 */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { makeNode } from '../../ffi/files/layer-files.ts';
import { saysAbsent } from '../../ffi/files/lookup.ts';
import { removeTree } from '../../ffi/files/remove-tree.ts';
import { readable, type TarHeader, toBytes } from '../../images/tar/header.ts';
import { TarReader } from '../../images/tar/reader.ts';
import type { DataSink } from '../../images/tar/sparse.ts';
import { fileSink, setPathTimes } from '../../images/unpack/file-sink.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type ContainerFiles, type FoundPlace, joinNames, splitPath } from './container-files.ts';

export interface TarInOptions {
  /** A directory is not replaced by something else, nor something else by a directory. */
  readonly keepsKinds: boolean;
  /** Owners of everything; null for those that the archive says. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
  /** @throws for a place that is not to be written */
  readonly requireWritable: (names: readonly string[]) => void;
}

interface Placed {
  readonly parent: FoundPlace;
  readonly name: string;
  /** Of one name, in the directory that is held: no link is on the way. */
  readonly path: Buffer;
}

const KINDS = { 'character-device': constants.S_IFCHR, 'block-device': constants.S_IFBLK, fifo: constants.S_IFIFO };
const MISSING_PARENT_MODE = 0o755;
const NEW_FILE = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
const FILE_MODE = 0o600;
const ASIDE = '.tsdocker-going-';

/** A name in a directory that is held by a descriptor. */
const held = (directory: number, name: string): Buffer =>
  Buffer.concat([Buffer.from(`/proc/self/fd/${directory}/`), toBytes(name)]);

export class TarIn {
  readonly #files: ContainerFiles;
  readonly #into: FoundPlace;
  readonly #options: TarInOptions;
  /** Closes the file that is being written. */
  #open: (() => void) | null = null;
  /** Times of directories are set when nothing more is put into them. */
  readonly #directories: { readonly names: readonly string[]; readonly header: TarHeader }[] = [];
  /** Directories that something else took the place of: where they wait for their end. */
  readonly #aside: { readonly parent: readonly string[]; readonly name: string }[] = [];

  constructor(files: ContainerFiles, into: FoundPlace, options: TarInOptions) {
    this.#files = files;
    this.#into = into;
    this.#options = options;
  }

  /** @param pieces of a tar without compression @throws DockerError, TsdError */
  async take(pieces: AsyncIterable<Buffer>): Promise<void> {
    const reader = new TarReader((header) => this.#add(header));
    try {
      for await (const piece of pieces) {
        reader.push(piece);
        // Other work has its turn between the pieces.
        await setImmediate();
      }
      reader.finish();
      this.#setTimes();
    } finally {
      this.#abort();
      for (const aside of this.#aside) await this.#remove(aside);
    }
  }

  /** A file whose bytes do not come any more. */
  #abort(): void {
    this.#open?.();
    this.#open = null;
  }

  #add(header: TarHeader): DataSink | null {
    const placed = this.#place(header);
    if (placed === null) return null;
    let isHandedOver = false;
    try {
      const { parent } = placed;
      this.#options.requireWritable([...parent.names, placed.name]);
      const owned = { ...header, ...this.#options.owner };
      if (header.type === 'file') {
        this.#clear(placed, header);
        const fd = openSync(placed.path, NEW_FILE, FILE_MODE);
        isHandedOver = true;
        const done = (): void => {
          this.#open = null;
          closeSync(fd);
          closeSync(parent.fd);
        };
        this.#open = done;
        return fileSink(fd, owned, { path: placed.path, setXattrs: () => {}, done });
      }
      this.#make(placed, owned);
      return null;
    } finally {
      if (!isHandedOver) closeSync(placed.parent.fd);
    }
  }

  /** Where an entry goes; null for the directory itself. */
  #place({ name }: Pick<TarHeader, 'name'>): Placed | null {
    const names: string[] = [];
    for (const part of splitPath(name)) {
      if (part !== '..') names.push(part);
      else if (names.pop() === undefined)
        throw new DockerError(400, `${JSON.stringify(readable(name))} is outside of the directory that is unpacked to`);
    }
    const last = names.pop();
    if (last === undefined) return null;
    const parent = this.#directory(names);
    return { parent, name: last, path: held(parent.fd, last) };
  }

  /** The directory of an entry; what is missing of it is made. */
  #directory(below: readonly string[]): FoundPlace {
    const path = joinNames([...this.#into.names, ...below]);
    const found = this.#files.resolve(path, true);
    if (found !== null) {
      if (fstatSync(found.fd).isDirectory()) return found;
      closeSync(found.fd);
      throw new DockerError(400, `${readable(path)} is not a directory`);
    }
    const last = below.at(-1);
    if (last === undefined) throw new DockerError(404, `${readable(path)} is gone`);
    const parent = this.#directory(below.slice(0, -1));
    try {
      this.#options.requireWritable([...parent.names, last]);
      mkdirSync(held(parent.fd, last), MISSING_PARENT_MODE);
    } finally {
      closeSync(parent.fd);
    }
    const made = this.#files.resolve(path, true);
    if (made === null) throw new DockerError(400, `${readable(path)} leads nowhere`);
    return made;
  }

  /** Takes away what is in the place of an entry. @returns true where a directory stays */
  #clear({ path, parent, name }: Placed, { type }: Pick<TarHeader, 'type'>): boolean {
    const there = lstatSync(path, { throwIfNoEntry: false });
    if (there === undefined) return false;
    const [was, is] = [there.isDirectory(), type === 'directory'];
    if (was && is) return true;
    if (this.#options.keepsKinds && was !== is) {
      const shown = readable(joinNames([...parent.names, name]));
      const message = was
        ? `cannot overwrite directory ${JSON.stringify(shown)} with non-directory`
        : `cannot overwrite non-directory ${JSON.stringify(shown)} with directory`;
      throw new DockerError(400, message);
    }
    if (!was) {
      unlinkSync(path);
      return false;
    }
    const aside = `${ASIDE}${randomBytes(8).toString('hex')}`;
    renameSync(path, held(parent.fd, aside));
    this.#aside.push({ parent: parent.names, name: aside });
    return false;
  }

  #make(placed: Placed, header: TarHeader): void {
    const { path, parent, name } = placed;
    const { type, uid, gid, mode } = header;
    if (type === 'directory') {
      if (!this.#clear(placed, header)) mkdirSync(path, mode);
      lchownSync(path, uid, gid);
      const fd = this.#files.openEntry(parent.fd, [...parent.names, name]);
      if (fd === null) return;
      try {
        if (fstatSync(fd).isDirectory()) chmodSync(`/proc/self/fd/${fd}`, mode);
      } finally {
        closeSync(fd);
      }
      this.#directories.push({ names: [...parent.names, name], header });
      return;
    }
    this.#clear(placed, header);
    if (type === 'link') {
      this.#link(header, path);
      return;
    }
    if (type === 'symlink') symlinkSync(toBytes(header.linkname), path);
    else if (type !== 'file') makeNode(path, KINDS[type] | (mode & 0o7777), header.major, header.minor);
    lchownSync(path, uid, gid);
    setPathTimes(header, path);
  }

  /** Another name of a file that the archive had before. */
  #link({ linkname }: TarHeader, path: Buffer): void {
    const target = this.#place({ name: linkname });
    if (target === null) throw new DockerError(400, 'a directory cannot have a second name');
    try {
      linkSync(target.path, path);
    } finally {
      closeSync(target.parent.fd);
    }
  }

  async #remove({ parent, name }: { readonly parent: readonly string[]; readonly name: string }): Promise<void> {
    const directory = this.#files.openPlain(parent);
    if (directory === null) return;
    try {
      // What is large is deleted by another process, which has descriptors of its own.
      await removeTree(`/proc/${process.pid}/fd/${directory}/${name}`);
    } finally {
      closeSync(directory);
    }
  }

  #setTimes(): void {
    for (const { names, header } of this.#directories.reverse()) {
      const parent = this.#files.openPlain(names.slice(0, -1));
      if (parent === null) continue;
      try {
        setPathTimes(header, held(parent, names.at(-1) ?? ''));
      } catch (thrown) {
        // A program of the container may have taken it away meanwhile.
        if ((thrown as NodeJS.ErrnoException).code !== 'ENOENT' && !saysAbsent(thrown)) throw thrown;
      } finally {
        closeSync(parent);
      }
    }
  }
}
