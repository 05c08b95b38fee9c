import { closeSync, constants, createReadStream, fstatSync, openSync, readSync, realpathSync, statSync } from 'node:fs';
import { posix, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { TsdError } from '../../model/errors/errors.ts';
import { BLOCK, invalidTar, readable, type TarHeader } from '../tar/header.ts';
import { TarReader } from '../tar/reader.ts';

/** The files that an image is stored in, read by relative path: of a tar or of a directory. */
export interface ImageFiles {
  has(path: string): boolean;
  /** A small file as text. @throws TSD_IMAGE_INVALID when it is absent or larger than 4 MiB. */
  readText(path: string): string;
  /** Bytes of a file; undefined when it is absent. */
  size(path: string): number | undefined;
  /** @throws TSD_IMAGE_INVALID when it is absent. */
  open(path: string): Readable;
  close(): void;
}

const MAX_TEXT_BYTES = 4 * 1024 * 1024;
const MAX_ENTRIES = 1_000_000;
const MAX_LINKS = 16;
const READ_BYTES = 256 * 1024;

function absent(path: string): TsdError {
  return new TsdError('TSD_IMAGE_INVALID', `the image has no ${path}`, { step: 'read image' });
}

function tooLarge(path: string): TsdError {
  return new TsdError('TSD_IMAGE_INVALID', `${path} is larger than ${MAX_TEXT_BYTES} bytes`, { step: 'read image' });
}

/** The error for a source that node:fs could not read. */
export function sourceMissing(path: string, cause: unknown): TsdError {
  const reason = (cause as NodeJS.ErrnoException).code ?? (cause as Error).message;
  return new TsdError('TSD_IMAGE_SOURCE', `cannot read ${path}: ${reason}`, { step: 'open image source', cause });
}

/** Files are read in place, where a sparse one is not in one piece. Layers themselves may hold sparse files. */
function sparse(name: string): TsdError {
  return new TsdError('TSD_NOT_IN_THIS_VERSION', `${name} is stored as a sparse file in the archive of the image`, {
    step: 'read image',
    hint: 'Write the archive without sparse files (tar without -S).',
  });
}

interface Stored {
  readonly offset: number;
  readonly size: number;
}

/** A plain tar, read in place: only its headers are kept. Links in it are followed inside it, never on the disk. */
export class TarFiles implements ImageFiles {
  readonly #fd: number;
  readonly #files = new Map<string, Stored>();
  readonly #links = new Map<string, string>();

  constructor(path: string) {
    try {
      this.#fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (cause) {
      throw sourceMissing(path, cause);
    }
    try {
      this.#index();
    } catch (thrown) {
      this.close();
      throw thrown;
    }
  }

  has(path: string): boolean {
    return this.#find(path) !== null;
  }

  readText(path: string): string {
    const found = this.#find(path);
    if (found === null) throw absent(path);
    if (found.size > MAX_TEXT_BYTES) throw tooLarge(path);
    const bytes = Buffer.alloc(found.size);
    if (readSync(this.#fd, bytes, 0, found.size, found.offset) !== found.size) throw invalidTar('it is cut off');
    return bytes.toString('utf8');
  }

  size(path: string): number | undefined {
    return this.#find(path)?.size;
  }

  open(path: string): Readable {
    const found = this.#find(path);
    if (found === null) throw absent(path);
    // A range cannot be empty, so an empty file is read as an empty device.
    if (found.size === 0) return createReadStream('/dev/null');
    // A descriptor of its own, since a destroyed stream closes what it reads; by way of ours, since the path may be
    // another file by now.
    return createReadStream(`/proc/self/fd/${this.#fd}`, {
      start: found.offset,
      end: found.offset + found.size - 1,
      highWaterMark: READ_BYTES,
    });
  }

  close(): void {
    closeSync(this.#fd);
  }

  #find(path: string): Stored | null {
    let name = path;
    for (let hops = 0; hops <= MAX_LINKS; hops++) {
      const link = this.#links.get(name);
      if (link === undefined) return this.#files.get(name) ?? null;
      name = link;
    }
    throw new TsdError('TSD_IMAGE_INVALID', `${path} is a link that leads in a circle`, { step: 'read image' });
  }

  #index(): void {
    const { size } = fstatSync(this.#fd);
    const block = Buffer.allocUnsafe(BLOCK);
    let position = 0;
    let entries = 0;
    let dataStart = 0;
    const reader: TarReader = new TarReader((header) => {
      if (++entries > MAX_ENTRIES) throw invalidTar(`more than ${MAX_ENTRIES} entries`);
      this.#add(header, dataStart);
      return null;
    });
    while (position < size && !reader.ended) {
      // One header at a time: the position after it is where its data starts.
      dataStart = position + BLOCK;
      const length = readSync(this.#fd, block, 0, BLOCK, position);
      if (length === 0) break;
      reader.push(block.subarray(0, length));
      position += length + reader.takeSkippable();
    }
    reader.finish();
    if (position > size) throw invalidTar('it is cut off');
  }

  #add(header: TarHeader, offset: number): void {
    const name = posix.normalize(readable(header.name));
    this.#files.delete(name);
    this.#links.delete(name);
    if (header.sparse) throw sparse(name);
    if (header.type === 'file') this.#files.set(name, { offset, size: header.size });
    else if (header.type === 'symlink') {
      this.#links.set(name, posix.join(posix.dirname(name), readable(header.linkname)));
    } else if (header.type === 'link') this.#links.set(name, posix.normalize(readable(header.linkname)));
  }
}

/** A directory. Symlinks that lead out of it are refused. */
export class DirectoryFiles implements ImageFiles {
  readonly #root: string;

  constructor(path: string) {
    try {
      this.#root = realpathSync(path);
    } catch (cause) {
      throw sourceMissing(path, cause);
    }
  }

  has(path: string): boolean {
    return this.#resolve(path) !== null;
  }

  readText(path: string): string {
    const fd = this.#open(path);
    try {
      const { size } = fstatSync(fd);
      if (size > MAX_TEXT_BYTES) throw tooLarge(path);
      const bytes = Buffer.alloc(size);
      return bytes.toString('utf8', 0, readSync(fd, bytes, 0, size, 0));
    } finally {
      closeSync(fd);
    }
  }

  size(path: string): number | undefined {
    const resolved = this.#resolve(path);
    return resolved === null ? undefined : statSync(resolved).size;
  }

  open(path: string): Readable {
    return createReadStream('', { fd: this.#open(path), highWaterMark: READ_BYTES });
  }

  close(): void {
    // Files are open only while they are read.
  }

  #open(path: string): number {
    const resolved = this.#resolve(path);
    if (resolved === null) throw absent(path);
    const fd = openSync(resolved, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    if (fstatSync(fd).isFile()) return fd;
    closeSync(fd);
    throw new TsdError('TSD_IMAGE_INVALID', `${path} is not a regular file`, { step: 'read image' });
  }

  #resolve(path: string): string | null {
    let resolved: string;
    try {
      resolved = realpathSync(posix.join(this.#root, path));
    } catch (thrown) {
      const { code } = thrown as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return null;
      throw sourceMissing(posix.join(this.#root, path), thrown);
    }
    if (resolved.startsWith(this.#root + sep)) return resolved;
    throw new TsdError('TSD_LAYER_HOSTILE', `${path} leads out of ${this.#root}`, { step: 'read image' });
  }
}
