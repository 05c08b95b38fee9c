import { lstatSync, readdirSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fileError } from '../../ffi/layer-files.ts';
import type { LayerChange } from '../contract.ts';

/** Files looked at in one turn of the event loop: about 2 ms. */
const BATCH = 500;
const BLOCK_BYTES = 512;
/** include/uapi/linux/limits.h */
const PATH_MAX = 4096;

/**
 * Bytes that the tree takes on disk (st_blocks), each inode once. What vanishes meanwhile is not counted, nor what a
 * container nested deeper than a path can say (PATH_MAX).
 */
export async function treeSize(root: string): Promise<number> {
  const seen = new Set<number>();
  const pending: Buffer[] = [Buffer.from(root)];
  let bytes = 0;
  let looked = 0;
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (++looked % BATCH === 0) await nextTurn();
    if (path.length >= PATH_MAX) continue;
    const stat = lstatSync(path, { throwIfNoEntry: false });
    if (stat === undefined || (stat.nlink > 1 && !stat.isDirectory() && seen.has(stat.ino))) continue;
    if (stat.nlink > 1) seen.add(stat.ino);
    bytes += stat.blocks * BLOCK_BYTES;
    if (stat.isDirectory()) pending.push(...childPaths(path));
  }
  return bytes;
}

/** Bytes on disk of the files that were added or modified, each inode once. */
export async function changesSize(changes: AsyncIterable<LayerChange>): Promise<number> {
  const seen = new Set<number>();
  let bytes = 0;
  for await (const { hostPath } of changes) {
    if (hostPath === null || hostPath.length >= PATH_MAX) continue;
    const stat = lstatSync(hostPath, { throwIfNoEntry: false });
    if (stat === undefined || seen.has(stat.ino)) continue;
    if (stat.nlink > 1) seen.add(stat.ino);
    bytes += stat.blocks * BLOCK_BYTES;
  }
  return bytes;
}

function childPaths(directory: Buffer): Buffer[] {
  try {
    return readdirSync(directory, { encoding: 'buffer' }).map((name) =>
      Buffer.concat([directory, Buffer.from('/'), name]),
    );
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw fileError(thrown, `size of ${directory.toString()}`);
  }
}
