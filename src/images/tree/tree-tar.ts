import { createHash } from 'node:crypto';
import { closeSync } from 'node:fs';
import { constants, type FileHandle, open } from 'node:fs/promises';
import { fileError } from '../../ffi/files/layer-files.ts';
import type { Stretch } from '../../ffi/files/sparse-file.ts';
import { openWithoutLinks } from '../../ffi/files/without-links.ts';
import { Slices } from '../../ffi/slices.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { readable, type TarHeader } from '../tar/header.ts';
import { END_OF_ARCHIVE, encodeHeader, paddingAfter } from '../tar/writer.ts';
import { type SparseMaps, sparsePadding, sparseStart } from './sparse-entry.ts';

/** One file of a generated layer: its header, and the source of its bytes. */
export interface TreeEntry {
  readonly header: TarHeader;
  /**
   * A path of this host, a way to open it (the descriptor is the taker's), the bytes themselves, or null for what is no
   * regular file.
   */
  readonly content: Buffer | FileContent | null;
}

type FileContent = { readonly hostPath: string | Buffer } | { readonly openFile: () => number };

/** Small pieces are collected up to this size. */
const PIECE_BYTES = 256 * 1024;

/**
 * The tar of the entries, in their order. The same entries with the same contents give the same bytes.
 * @param sparse keeps the holes of files; null writes them as zeros, so that the bytes do not depend on the filesystem.
 * @throws TSD_IMAGE_SOURCE when a file is not what its entry said.
 */
export async function* treeTar(
  entries: Iterable<TreeEntry> | AsyncIterable<TreeEntry>,
  sparse: SparseMaps | null = null,
): AsyncGenerator<Buffer> {
  let collected: Buffer[] = [];
  let length = 0;
  const slices = new Slices();
  for await (const { header, content } of entries) {
    await slices.pause();
    for await (const piece of entryPieces(header, content, sparse)) {
      collected.push(piece);
      length += piece.length;
      if (length < PIECE_BYTES) continue;
      yield Buffer.concat(collected);
      collected = [];
      length = 0;
    }
  }
  yield Buffer.concat([...collected, END_OF_ARCHIVE]);
}

async function* entryPieces(
  header: TarHeader,
  content: TreeEntry['content'],
  sparse: SparseMaps | null,
): AsyncGenerator<Buffer> {
  if (content === null || Buffer.isBuffer(content) || header.size === 0) {
    yield encodeHeader(header);
    if (Buffer.isBuffer(content)) yield content;
    if (content !== null) yield paddingAfter(header.size);
    return;
  }
  const file = await openContent(content, header);
  try {
    const map = (await sparse?.of(header.name, file.fd)) ?? null;
    yield map === null ? encodeHeader(header) : sparseStart(header, map);
    for (const part of map ?? [{ offset: 0, length: header.size }]) yield* partPieces(file, part, header);
    yield map === null ? paddingAfter(header.size) : sparsePadding(map);
    if ((await file.stat()).size !== header.size) throw new ChangedMeanwhile(header.name);
  } finally {
    await file.close();
  }
}

/** The bytes of a file of a layer that is made here. @throws TSD_IMAGE_SOURCE when it is not what its header says. */
export async function* filePieces(content: FileContent, header: TarHeader): AsyncGenerator<Buffer> {
  const file = await openContent(content, header);
  try {
    yield* partPieces(file, { offset: 0, length: header.size }, header);
    if ((await file.stat()).size !== header.size) throw new ChangedMeanwhile(header.name);
  } finally {
    await file.close();
  }
}

async function* partPieces(
  file: FileHandle,
  { offset, length }: Stretch,
  { name }: Pick<TarHeader, 'name'>,
): AsyncGenerator<Buffer> {
  for (let left = length; left > 0; ) {
    const buffer = Buffer.allocUnsafe(Math.min(left, PIECE_BYTES));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset + length - left);
    if (bytesRead === 0) throw new ChangedMeanwhile(name);
    left -= bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** A scanned entry has disappeared: the tree is being changed. */
export class ChangedMeanwhile extends TsdError {
  constructor(name: string, cause?: unknown) {
    super('TSD_IMAGE_SOURCE', `${readable(name)} changed while it was read`, { class: 'unavailable', cause });
  }
}

async function openContent(content: FileContent, header: TarHeader): Promise<FileHandle> {
  try {
    return await openAny(content, header);
  } catch (thrown) {
    throw fileError(thrown, `read ${readable(header.name)}`);
  }
}

async function openAny(content: FileContent, header: TarHeader): Promise<FileHandle> {
  if ('hostPath' in content) {
    const file = await openWithoutLinks(Buffer.from(content.hostPath));
    if (file === null) throw new ChangedMeanwhile(header.name);
    return file;
  }
  const fd = content.openFile();
  try {
    return await open(`/proc/self/fd/${fd}`, constants.O_RDONLY);
  } finally {
    closeSync(fd);
  }
}

/** sha256 of a stream in hex, and its length in bytes. @throws the signal's reason. */
export async function measured(
  pieces: AsyncIterable<Buffer>,
  signal?: AbortSignal,
): Promise<{ readonly sha256: string; readonly size: number }> {
  const hash = createHash('sha256');
  let size = 0;
  for await (const piece of pieces) {
    signal?.throwIfAborted();
    hash.update(piece);
    size += piece.length;
  }
  return { sha256: hash.digest('hex'), size };
}
