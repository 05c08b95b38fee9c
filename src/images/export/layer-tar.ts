import { createHash } from 'node:crypto';
import { constants, open } from 'node:fs/promises';
import type { GraphDriver } from '../../drivers/contract/graph.ts';
import { fileError } from '../../ffi/files/layer-files.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { recipePath } from '../recipe/recipe-path.ts';
import { type RecipePart, readRecipe } from '../recipe/recipe-reader.ts';
import { expectDigest } from '../unpack/unpack.ts';

/** Where layers and what is known of their tars are. */
export interface LayerStore {
  readonly graph: Pick<GraphDriver, 'openLayer'>;
  /** Directory of the recipes. */
  readonly recipes: string;
}

export interface StoredLayer {
  readonly chainId: string;
  readonly diffId: string;
}

type FilePart = Extract<RecipePart, { type: 'file' }>;

const READ_BYTES = 256 * 1024;
const SLASH = Buffer.from('/');

/** Size of a layer's tar in bytes. @throws TSD_IMAGE_INVALID where it cannot be put together again. */
export async function layerTarSize({ recipes }: LayerStore, { chainId }: StoredLayer): Promise<number> {
  let bytes = 0;
  for await (const part of readRecipe(recipePath(recipes, chainId))) {
    bytes += part.type === 'raw' ? part.bytes.length : part.size;
  }
  return bytes;
}

/**
 * The tar that a layer was unpacked from, byte for byte, streamed. The last piece comes only after the digest was found
 * right. @throws TSD_IMAGE_INVALID when a file of the layer was changed behind our back.
 */
export async function* layerTar(store: LayerStore, layer: StoredLayer): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let held: Buffer | null = null;
  for await (const piece of tarPieces(store, layer)) {
    hash.update(piece);
    if (held !== null) yield held;
    held = piece;
  }
  expectDigest(`layer ${layer.chainId.slice(0, 12)}`, hash.digest('hex'), layer.diffId);
  if (held !== null) yield held;
}

async function* tarPieces({ graph, recipes }: LayerStore, { chainId }: StoredLayer): AsyncGenerator<Buffer> {
  const files = graph.openLayer(chainId);
  try {
    yield* piecesOf(Buffer.from(files.path), recipePath(recipes, chainId));
  } finally {
    files.close();
  }
}

/** @param base path of the layer's files. */
async function* piecesOf(base: Buffer, recipe: string): AsyncGenerator<Buffer> {
  const small: Buffer[] = [];
  let collected = 0;
  for await (const part of readRecipe(recipe)) {
    const pieces = part.type === 'raw' ? [part.bytes] : filePieces(Buffer.concat([base, SLASH, part.path]), part);
    for await (const piece of pieces) {
      small.push(piece);
      collected += piece.length;
      if (collected < READ_BYTES) continue;
      yield Buffer.concat(small.splice(0));
      collected = 0;
    }
  }
  if (collected > 0) yield Buffer.concat(small);
}

async function* filePieces(path: Buffer, { offset, size }: FilePart): AsyncGenerator<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((thrown: unknown) => {
    throw fileError(thrown, `read ${path.toString()}`);
  });
  try {
    let left = size;
    while (left > 0) {
      const buffer = Buffer.allocUnsafe(Math.min(left, READ_BYTES));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset + size - left);
      if (bytesRead === 0) throw new TsdError('TSD_IMAGE_INVALID', `${path.toString()} became shorter`);
      left -= bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}
