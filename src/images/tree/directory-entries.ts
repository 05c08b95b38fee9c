import { entryOf, linkEntry, scanTree } from './scan.ts';
import type { TreeEntry } from './tree-tar.ts';

/**
 * Entries in name order, with owners, modes, times and hard links, as they are found. The directory itself is the root of the
 * image. @param path as for {@link scanTree}
 */
export async function* directoryEntries(path: string, signal?: AbortSignal): AsyncGenerator<TreeEntry> {
  const firstNames = new Map<string, string>();
  for await (const file of scanTree(path, signal)) {
    const entry = entryOf(file.path === '' ? '.' : file.path, file);
    if (entry === null) continue;
    const mayBeLinked = file.stat.nlink > 1n && !file.stat.isDirectory();
    const inode = mayBeLinked ? `${file.stat.dev}:${file.stat.ino}` : '';
    const first = firstNames.get(inode);
    yield first === undefined ? entry : linkEntry(entry, first);
    if (mayBeLinked && first === undefined) firstNames.set(inode, entry.header.name);
  }
}
