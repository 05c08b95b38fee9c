import { setImmediate as nextTurn } from 'node:timers/promises';
import { isTooDeep, namesWithoutLinks, statWithoutLinks } from '../../ffi/without-links.ts';
import type { LayerChange } from '../contract.ts';

/** Files looked at in one turn of the event loop: about 2 ms. */
const BATCH = 150;
const BLOCK_BYTES = 512n;

/**
 * Bytes that the tree takes on disk (st_blocks), each inode once. What vanishes meanwhile is not counted, nor what a
 * container nested deeper than a path can say (PATH_MAX).
 * @param root without links in it; none that somebody puts in place meanwhile is followed
 */
export async function treeSize(root: string): Promise<number> {
  const seen = new Set<bigint>();
  const pending: Buffer[] = [Buffer.from(root)];
  let bytes = 0n;
  let looked = 0;
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (++looked % BATCH === 0) await nextTurn();
    const stat = isTooDeep(path) ? null : statWithoutLinks(path);
    if (stat === null || (stat.nlink > 1n && !stat.isDirectory() && seen.has(stat.ino))) continue;
    if (stat.nlink > 1n) seen.add(stat.ino);
    bytes += stat.blocks * BLOCK_BYTES;
    if (stat.isDirectory()) pending.push(...childPaths(path));
  }
  return Number(bytes);
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

function childPaths(directory: Buffer): Buffer[] {
  return (namesWithoutLinks(directory) ?? []).map((name) => Buffer.concat([directory, Buffer.from('/'), name]));
}
