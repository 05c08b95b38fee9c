/** Entries of a layer: what they are, and the layer made of them. */
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { Slices } from '../../ffi/slices.ts';
import type { LoadContext } from '../image.ts';
import { chainIds, ensureLayer } from '../layers.ts';
import { filePieces, measured, type TreeEntry, treeTar } from '../tree/tree-tar.ts';
import type { BuiltLayer } from './host.ts';

/** sha256 over names, kinds, owners, modes and contents: equal files give equal digests whatever their times. */
export async function contentDigest(entries: readonly TreeEntry[]): Promise<string> {
  const hash = createHash('sha256');
  const slices = new Slices();
  for (const { header, content } of entries) {
    await slices.pause();
    const { name, type, mode, uid, gid, size, linkname, major, minor, xattrs } = header;
    const attributes = [...xattrs].map(([key, value]) => [key, value.toString('base64')]);
    hash.update(`${JSON.stringify([name, type, mode, uid, gid, size, linkname, major, minor, attributes])}\n`);
    if (content === null) continue;
    if (Buffer.isBuffer(content)) hash.update(content);
    else for await (const piece of filePieces(content, header)) hash.update(piece);
  }
  return hash.digest('hex');
}

/**
 * Puts a layer of these entries on top of others. They are read twice, for the digest and to unpack.
 * @param entries called for each reading. @throws TSD_IMAGE_INVALID when both readings differ.
 */
export async function makeLayer(
  below: readonly BuiltLayer[],
  entries: () => AsyncIterable<TreeEntry> | Iterable<TreeEntry>,
  context: LoadContext,
): Promise<BuiltLayer> {
  const { sha256: diffId, size } = await measured(treeTar(entries()));
  const chainId = chainIds([...below.map((layer) => layer.diffId), diffId]).at(-1) ?? diffId;
  const parent = below.at(-1)?.chainId ?? null;
  const open = () => Readable.from(treeTar(entries()), { objectMode: false });
  await ensureLayer({ chainId, parent, diffId }, { open, digest: null, size }, context);
  return { chainId, diffId };
}

/** The entries with no time later than this; null leaves all times. */
export async function* clampedTimes(
  entries: AsyncIterable<TreeEntry> | Iterable<TreeEntry>,
  latestSeconds: number | null,
): AsyncGenerator<TreeEntry> {
  for await (const entry of entries) {
    const { mtimeSeconds } = entry.header;
    if (latestSeconds === null || mtimeSeconds < latestSeconds) yield entry;
    else yield { ...entry, header: { ...entry.header, mtimeSeconds: latestSeconds, mtimeNanos: 0 } };
  }
}
