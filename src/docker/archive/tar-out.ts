/** A place of a container as a tar. Nothing of it is followed, and files that change meanwhile have the size that they had. */
import { type BigIntStats, closeSync, constants, fstatSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { linkTarget } from '../../ffi/files/lookup.ts';
import { nameBatches } from '../../ffi/files/read-directory.ts';
import type { TarHeader, TarType } from '../../images/tar/header.ts';
import { END_OF_ARCHIVE, encodeHeader, paddingAfter } from '../../images/tar/writer.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type ContainerFiles, type FoundPlace, toRead } from './container-files.ts';

const PIECE_BYTES = 256 * 1024;
/** Directories in each other; each is held open. */
const MOST_DEPTH = 512;
const MODE_BITS = 0o7777;
const NS = 1_000_000_000n;

function typeOf(stat: BigIntStats): TarType | null {
  if (stat.isFile()) return 'file';
  if (stat.isDirectory()) return 'directory';
  if (stat.isSymbolicLink()) return 'symlink';
  if (stat.isFIFO()) return 'fifo';
  if (stat.isCharacterDevice()) return 'character-device';
  return stat.isBlockDevice() ? 'block-device' : null;
}

/** include/linux/kdev_t.h, as stat(2) gives it */
const majorOf = (rdev: bigint): number => Number(((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn));
const minorOf = (rdev: bigint): number => Number((rdev & 0xffn) | ((rdev >> 12n) & ~0xffn));

function headerOf(name: string, type: TarType, stat: BigIntStats, fd: number): TarHeader {
  const isDevice = type === 'character-device' || type === 'block-device';
  const seconds = stat.mtimeNs / NS - (stat.mtimeNs % NS < 0n ? 1n : 0n);
  return {
    name: type === 'directory' && !name.endsWith('/') ? `${name}/` : name,
    type,
    mode: Number(stat.mode) & MODE_BITS,
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: type === 'file' ? Number(stat.size) : 0,
    mtimeSeconds: Number(seconds),
    mtimeNanos: Number(stat.mtimeNs - seconds * NS),
    linkname: type === 'symlink' ? linkTarget(fd).toString('latin1') : '',
    major: isDevice ? majorOf(stat.rdev) : 0,
    minor: isDevice ? minorOf(stat.rdev) : 0,
    xattrs: new Map(),
  };
}

async function* contentOf(fd: number, size: number): AsyncGenerator<Buffer> {
  let file: FileHandle | null = null;
  let left = size;
  try {
    file = await open(`/proc/self/fd/${fd}`, constants.O_RDONLY);
    for (; left > 0; ) {
      const buffer = Buffer.allocUnsafe(Math.min(left, PIECE_BYTES));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, size - left);
      if (bytesRead === 0) break;
      left -= bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file?.close();
  }
  // It became shorter meanwhile.
  for (; left > 0; left -= Math.min(left, PIECE_BYTES)) yield Buffer.alloc(Math.min(left, PIECE_BYTES));
  yield paddingAfter(size);
}

export class TarOut {
  readonly #files: ContainerFiles;
  /** The name in the archive of the first of several names of a file. */
  readonly #first = new Map<string, string>();

  constructor(files: ContainerFiles) {
    this.#files = files;
  }

  /** @param name of the place in the archive; the descriptor of the place stays the caller's */
  async *of({ fd, names }: FoundPlace, name: string): AsyncGenerator<Buffer> {
    yield* this.#entry(fd, names, name, 0);
    yield END_OF_ARCHIVE;
  }

  /** Everything below the root, each by its path without a slash before it. */
  async *whole(): AsyncGenerator<Buffer> {
    const root = this.#files.openPlain([]);
    if (root === null) throw new DockerError(500, 'the container has no root');
    try {
      yield* this.#below(root, [], '', 0);
    } finally {
      closeSync(root);
    }
    yield END_OF_ARCHIVE;
  }

  async *#entry(fd: number, names: readonly string[], name: string, depth: number): AsyncGenerator<Buffer> {
    const stat = fstatSync(fd, { bigint: true });
    const type = typeOf(stat);
    // Of sockets archives have no form.
    if (type === null) return;
    const header = headerOf(name, type, stat, fd);
    const first = type !== 'directory' && stat.nlink > 1n ? this.#linked(stat, name) : null;
    if (first !== null) {
      yield encodeHeader({ ...header, type: 'link', size: 0, linkname: first });
      return;
    }
    yield encodeHeader(header);
    if (type === 'file') yield* contentOf(fd, header.size);
    if (type === 'directory') yield* this.#below(fd, names, header.name, depth);
  }

  #linked({ dev, ino }: BigIntStats, name: string): string | null {
    const inode = `${dev}:${ino}`;
    const first = this.#first.get(inode) ?? null;
    if (first === null) this.#first.set(inode, name);
    return first;
  }

  async *#below(fd: number, names: readonly string[], prefix: string, depth: number): AsyncGenerator<Buffer> {
    if (depth >= MOST_DEPTH) throw new DockerError(500, `directories are nested deeper than ${MOST_DEPTH}`);
    const directory = toRead(fd);
    try {
      for (const batch of nameBatches(directory)) {
        for (const bytes of batch) {
          const name = bytes.toString('latin1');
          const below = [...names, name];
          const entry = this.#files.openEntry(directory, below);
          if (entry === null) continue;
          try {
            yield* this.#entry(entry, below, `${prefix}${name}`, depth + 1);
          } finally {
            closeSync(entry);
          }
        }
      }
    } finally {
      closeSync(directory);
    }
  }
}
