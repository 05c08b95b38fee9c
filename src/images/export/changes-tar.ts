import type { LayerChange } from '../../drivers/contract/graph.ts';
import { statWithoutLinks } from '../../ffi/files/without-links.ts';
import { fromBytes } from '../tar/header.ts';
import { tarHeader } from '../tar/writer.ts';
import { entryOf, linkEntry } from '../tree/scan.ts';
import type { SparseMaps } from '../tree/sparse-entry.ts';
import { type TreeEntry, treeTar } from '../tree/tree-tar.ts';

/** Marks a deletion in a layer's tar (OCI image-spec, layer.md). */
const WHITEOUT_PREFIX = '.wh.';

/**
 * The layer tar of changes: applied to what they were found against it gives what they were found in.
 * @param sparse the same for each time that the tar is made
 */
export function changesTar(changes: AsyncIterable<LayerChange>, sparse: SparseMaps): AsyncGenerator<Buffer> {
  return treeTar(changeEntries(changes), sparse);
}

/** The entries of {@link changesTar}. */
export async function* changeEntries(changes: AsyncIterable<LayerChange>): AsyncGenerator<TreeEntry> {
  const firstNames = new Map<string, string>();
  for await (const { path, hostPath } of changes) {
    const name = path.length === 0 ? '.' : fromBytes(path);
    if (hostPath === null) {
      yield whiteout(name);
      continue;
    }
    const stat = statWithoutLinks(hostPath);
    const entry = stat === null ? null : entryOf(name, { hostPath, stat });
    if (stat === null || entry === null) continue;
    const mayBeLinked = stat.nlink > 1n && !stat.isDirectory();
    const inode = mayBeLinked ? `${stat.dev}:${stat.ino}` : '';
    const first = firstNames.get(inode);
    yield first === undefined ? entry : linkEntry(entry, first);
    if (mayBeLinked && first === undefined) firstNames.set(inode, entry.header.name);
  }
}

function whiteout(name: string): TreeEntry {
  const slash = name.lastIndexOf('/') + 1;
  const marker = `${name.slice(0, slash)}${WHITEOUT_PREFIX}${name.slice(slash)}`;
  return { header: { ...tarHeader({ type: 'file', path: '' }), name: marker }, content: Buffer.alloc(0) };
}
