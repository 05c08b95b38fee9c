import type { BigIntStats } from 'node:fs';
import { filesWithoutLinks, isTooDeep, statWithoutLinks } from '../../ffi/files/without-links.ts';
import { inSlices } from '../../ffi/slices.ts';
import type { LayerChange } from '../contract/graph.ts';
import { joinBytes } from './tree-changes.ts';

const BLOCK_BYTES = 512n;

/**
 * Bytes that the tree takes on disk (st_blocks), each inode once. What vanishes meanwhile is not counted, nor what a
 * container nested deeper than a path can say (PATH_MAX).
 * @param root without links in it; none that somebody puts in place meanwhile is followed
 */
export async function treeSize(root: string): Promise<number> {
  return Number(await inSlices(countTree(Buffer.from(root))));
}

/** Only directories wait to be looked at: a directory of a million files takes no memory for each. */
function* countTree(root: Buffer): Generator<null, bigint> {
  const seen = new Set<bigint>();
  const pending: Buffer[] = [];
  let bytes = 0n;
  const count = (path: Buffer, stat: BigIntStats): void => {
    if (isTooDeep(path) || (stat.nlink > 1n && !stat.isDirectory() && seen.has(stat.ino))) return;
    if (stat.nlink > 1n) seen.add(stat.ino);
    bytes += stat.blocks * BLOCK_BYTES;
    if (stat.isDirectory()) pending.push(path);
  };
  const top = statWithoutLinks(root);
  if (top !== null) count(root, top);
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    for (const { name, stat } of filesWithoutLinks(path)) {
      count(joinBytes(path, name), stat);
      yield null;
    }
  }
  return bytes;
}

/** Bytes on disk of the files that were added or modified, each inode once. */
export async function changesSize(changes: AsyncIterable<LayerChange>): Promise<number> {
  const seen = new Set<bigint>();
  let bytes = 0n;
  for await (const { hostPath } of changes) {
    const stat = hostPath === null ? null : statWithoutLinks(hostPath);
    if (stat === null || seen.has(stat.ino)) continue;
    if (stat.nlink > 1n) seen.add(stat.ino);
    bytes += stat.blocks * BLOCK_BYTES;
  }
  return Number(bytes);
}
