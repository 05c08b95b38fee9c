import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { LayerTarget } from '../../drivers/contract/graph.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { LayerLimits } from '../image.ts';
import type { RecipeWriter } from '../recipe/recipe-writer.ts';
import { TarReader } from '../tar/reader.ts';
import { decompressed } from './decompress.ts';
import { hostile } from './layer-tree.ts';
import { LayerWriter } from './layer-writer.ts';

interface UnpackOptions {
  /** sha256 of the uncompressed tar, in hex. */
  readonly diffId: string;
  /** sha256 of the bytes as stored, in hex, where it is known. */
  readonly blobDigest: string | null;
  readonly limits: LayerLimits;
  /** Records how to put the tar together again; left uncommitted when that will not be possible. */
  readonly recipe: RecipeWriter;
  /** Called about once a mebibyte of stored bytes, with how many were read so far. */
  readonly progress: (bytes: number) => void;
  readonly signal?: AbortSignal | undefined;
}

const PROGRESS_STEP = 1024 * 1024;

/**
 * Unpacks one layer, streamed: a tar, plain or compressed, recognised by its first bytes. Resolves only when everything is written
 * and both digests are right; after a failure the target holds rubbish and must be dropped.
 * @returns size of the uncompressed tar.
 * @throws TSD_LAYER_HOSTILE, TSD_IMAGE_INVALID, TSD_DISK_FULL.
 */
export async function unpackLayer(blob: Readable, target: LayerTarget, options: UnpackOptions): Promise<number> {
  const diffHash = createHash('sha256');
  const blobHash = options.blobDigest === null ? null : createHash('sha256');
  const writer = new LayerWriter(target, options.limits);
  const { recipe } = options;
  const reader = new TarReader((header) => {
    const sink = writer.add(header);
    return sink === null ? null : recipe.follow(sink, writer.filePath, header.size, header.sparse === true);
  });
  let bytes = 0;
  let stored = 0;
  let reported = 0;
  const take = (raw: Buffer): void => {
    blobHash?.update(raw);
    stored += raw.length;
  };
  try {
    for await (const piece of decompressed(blob, take)) {
      options.signal?.throwIfAborted();
      bytes += piece.length;
      if (bytes > options.limits.maxBytes) throw hostile(`the layer is larger than ${options.limits.maxBytes} bytes`);
      diffHash.update(piece);
      recipe.begin(piece);
      reader.push(piece);
      await recipe.end();
      if (stored - reported >= PROGRESS_STEP) {
        reported = stored;
        options.progress(stored);
      }
    }
    reader.finish();
  } finally {
    writer.abort();
  }
  if (blobHash !== null) expectDigest('blob', blobHash.digest('hex'), options.blobDigest as string);
  expectDigest('layer', diffHash.digest('hex'), options.diffId);
  await writer.finish();
  if (!writer.lostContent) await recipe.commit();
  return bytes;
}

/** The step of an error that says that content is not what its digest says. */
export const VERIFY_DIGEST = 'verify digest';

/** @throws TSD_IMAGE_INVALID naming both digests. */
export function expectDigest(what: string, actual: string, expected: string): void {
  if (actual === expected) return;
  throw new TsdError('TSD_IMAGE_INVALID', `${what} has digest sha256:${actual}, not sha256:${expected}`, {
    step: VERIFY_DIGEST,
  });
}
