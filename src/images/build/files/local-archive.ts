/** Archives of a build: a context that comes as a tar, and what ADD unpacks. */
import { closeSync, createReadStream, mkdirSync, readSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { Beneath } from '../../../ffi/files/beneath.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { LayerLimits } from '../../image.ts';
import { BLOCK, decodeHeader, readable } from '../../tar/header.ts';
import { TarReader } from '../../tar/reader.ts';
import { decompressed, detectCompression } from '../../unpack/decompress.ts';
import { LayerWriter } from '../../unpack/layer-writer.ts';

/** Bounds against archives made to fill the disk. */
const LIMITS: LayerLimits = { maxEntries: 500_000, maxBytes: 16 * 1024 ** 3 };
const WHITEOUT = '.wh.';

/** Recognises a tar, plain or compressed, by its first bytes. */
function looksLikeArchive(start: Buffer): boolean {
  return detectCompression(start) !== 'none' || isTarHeader(start);
}

function isTarHeader(start: Buffer): boolean {
  if (start.length < BLOCK) return false;
  try {
    return decodeHeader(start.subarray(0, BLOCK)) !== null;
  } catch {
    return false;
  }
}

/**
 * Unpacks an archive into a new directory. Nothing in it can reach outside of that.
 * @throws TSD_IMAGE_INVALID, TSD_LAYER_HOSTILE, TSD_DISK_FULL.
 */
export async function unpackArchive(source: Readable, directory: string): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o755 });
  const writer = new LayerWriter({ path: directory, whiteouts: 'delete' }, LIMITS);
  const reader = new TarReader((header) => {
    const { name, type } = header;
    if (type === 'character-device' || type === 'block-device' || type === 'fifo') {
      throw hostile(`${readable(name)} is a ${type}`);
    }
    const parts = name.split('/');
    if (parts.some((part) => part.startsWith(WHITEOUT))) {
      throw hostile(`${readable(name)}: in an image a name that begins with ${WHITEOUT} deletes a file`);
    }
    return writer.add(header);
  });
  let bytes = 0;
  try {
    for await (const piece of decompressed(source, () => {})) {
      bytes += piece.length;
      if (bytes > LIMITS.maxBytes) throw hostile(`it holds more than ${LIMITS.maxBytes} bytes`);
      reader.push(piece);
    }
    reader.finish();
    await writer.finish();
  } finally {
    writer.abort();
  }
}

function hostile(problem: string): TsdError {
  return new TsdError('TSD_LAYER_HOSTILE', `the archive is not unpacked: ${problem}`, { step: 'unpack archive' });
}

/** The unpacked content of an archive in a tree; null for a file that is none. The directory is the caller's to remove. */
export async function openArchive(tree: Beneath, path: string, directory: string): Promise<Beneath | null> {
  const fd = tree.openFile(path);
  try {
    const start = Buffer.alloc(BLOCK);
    const length = readSync(fd, start, 0, BLOCK, 0);
    if (!looksLikeArchive(start.subarray(0, length)) || !(await isTar(fd))) return null;
    await unpackArchive(createReadStream(`/proc/self/fd/${fd}`), directory);
  } finally {
    closeSync(fd);
  }
  return Beneath.open(directory);
}

/** A compressed file need not be a tar: its first block decides. */
async function isTar(fd: number): Promise<boolean> {
  let start = Buffer.alloc(0);
  for await (const piece of decompressed(createReadStream(`/proc/self/fd/${fd}`), () => {})) {
    start = Buffer.concat([start, piece]);
    if (start.length >= BLOCK) break;
  }
  return isTarHeader(start);
}
