/** COPY and ADD as entries of a layer. */

import type { Beneath } from '../../../ffi/files/beneath.ts';
import { inSlices } from '../../../ffi/slices.ts';
import { type DockerfilePlace, dockerfileError } from '../../../model/dockerfile/place.ts';
import type { Glob } from '../../../model/text/glob.ts';
import { fromBytes, readable, type TarHeader } from '../../tar/header.ts';
import { tarHeader } from '../../tar/writer.ts';
import { entryOf } from '../../tree/scan.ts';
import type { TreeEntry } from '../../tree/tree-tar.ts';
import { LayerEntries } from './image-paths.ts';
import type { Owner } from './owners.ts';
import { findSources, join, type SourceMatch, type SourceTree } from './source-tree.ts';

/** A file that comes from no tree: a here-document, a download. */
interface InlineFile {
  readonly name: string;
  readonly content: Buffer | { readonly hostPath: string; readonly size: number };
  readonly mode: number;
  readonly mtimeSeconds: number;
}

export type CopySource =
  | { readonly type: 'tree'; readonly tree: SourceTree; readonly pattern: string }
  | { readonly type: 'inline'; readonly file: InlineFile }
  /** An unpacked archive, whose files keep owners and modes. */
  | { readonly type: 'archive'; readonly tree: SourceTree };

export interface CopyRequest {
  readonly keyword: 'ADD' | 'COPY';
  readonly sources: readonly CopySource[];
  /** Absolute in the image; a slash at the end means a directory. */
  readonly destination: string;
  /** Null keeps the owner of files out of an image and makes others root's. */
  readonly owner: Owner | null;
  readonly mode: number | null;
  /** Patterns of --exclude, relative to each source. */
  readonly excludes: readonly Glob[];
  /** --parents: directories of the source are kept in the destination. */
  readonly parents: boolean;
  /** Time of every file; null keeps those of the files. */
  readonly mtimeSeconds: number | null;
  /** Time of directories that are created for the destination. */
  readonly nowSeconds: number;
  readonly place: DockerfilePlace;
}

const ROOT: Owner = { uid: 0, gid: 0 };
const WHITEOUT = '.wh.';

/** @param root the stage's files as they are. @throws TSD_DOCKERFILE. */
export function copyEntries(request: CopyRequest, root: Beneath): Promise<TreeEntry[]> {
  return inSlices(new Copier(request, root).run());
}

interface Found {
  readonly source: CopySource;
  /** For a source of a tree. */
  readonly match: SourceMatch | null;
}

class Copier {
  readonly #request: CopyRequest;
  readonly #entries: LayerEntries;

  constructor(request: CopyRequest, root: Beneath) {
    this.#request = request;
    this.#entries = new LayerEntries(root, request.place);
  }

  *run(): Generator<null, TreeEntry[]> {
    const { sources, destination, place, keyword } = this.#request;
    const found: Found[] = [];
    for (const source of sources) {
      if (source.type !== 'tree') found.push({ source, match: null });
      else for (const match of yield* findSources(source.tree, source.pattern, place)) found.push({ source, match });
    }
    const intoDirectory = destination.endsWith('/') || destination.endsWith('/.');
    if (found.length > 1 && !intoDirectory) {
      throw dockerfileError(place, `${keyword} of several sources needs a destination that ends with /`);
    }
    const target = this.#entries.locate(fromBytes(Buffer.from(destination)));
    const isDirectory = intoDirectory || this.#entries.isDirectory(target);
    for (const { source, match } of found) {
      if (source.type === 'inline') this.#inline(source.file, target, isDirectory);
      else if (source.type === 'archive') yield* this.#contents(source.tree, '', target);
      else if (match !== null) yield* this.#match(source.tree, match, target, isDirectory);
      yield null;
    }
    return yield* this.#entries.all();
  }

  *#match(tree: SourceTree, match: SourceMatch, target: string, isDirectory: boolean): Generator<null, void> {
    const { asked, path, stat } = match;
    if (this.#request.parents) {
      const at = join(target, asked);
      if (stat.isDirectory()) yield* this.#contents(tree, path, at);
      else this.#file(tree, path, at);
      return;
    }
    if (stat.isDirectory()) yield* this.#contents(tree, path, target);
    else this.#file(tree, path, isDirectory ? join(target, asked.slice(asked.lastIndexOf('/') + 1)) : target);
  }

  /** What is in a directory of the tree, into a directory of the image. */
  *#contents(tree: SourceTree, path: string, target: string): Generator<null, void> {
    const { owner, nowSeconds } = this.#request;
    const below = (found: string): string => (path === '' ? found : found.slice(path.length + 1));
    const isExcluded = (found: string): boolean =>
      this.#request.excludes.some((pattern) => pattern.test(readable(below(found))));
    const enter = (found: string): boolean =>
      !isExcluded(found) && (!tree.ignore.ignores(readable(found)) || tree.ignore.mayHoldWanted(readable(found)));
    for (const found of tree.files.walk(path, enter)) {
      yield null;
      if (found === null) continue;
      if (found.path === path) {
        // Only the content of the directory is copied; the destination is created like any other.
        this.#entries.directory(target, owner ?? ROOT, nowSeconds);
        continue;
      }
      if (tree.ignore.ignores(readable(found.path)) || isExcluded(found.path)) continue;
      const at = join(target, below(found.path));
      this.#parent(at);
      this.#put(at, this.#entry(tree, found.path, at, found), tree.keepsOwners);
    }
  }

  #file(tree: SourceTree, path: string, target: string): void {
    if (this.#request.excludes.some((pattern) => pattern.test(readable(path)))) return;
    this.#parent(target);
    const entry = tree.files.look(path, (found) => this.#entry(tree, path, target, found));
    this.#put(target, entry, tree.keepsOwners);
  }

  #inline({ name, content, mode, mtimeSeconds }: InlineFile, target: string, isDirectory: boolean): void {
    const at = isDirectory ? join(target, fromBytes(Buffer.from(name))) : target;
    const size = Buffer.isBuffer(content) ? content.length : content.size;
    this.#parent(at);
    const header = { ...tarHeader({ type: 'file', path: '', mode, size, mtimeSeconds }), name: at };
    this.#put(at, { header, content }, false);
  }

  #parent(path: string): void {
    const slash = path.lastIndexOf('/');
    if (slash >= 0)
      this.#entries.directory(path.slice(0, slash), this.#request.owner ?? ROOT, this.#request.nowSeconds);
  }

  #entry(tree: SourceTree, path: string, target: string, found: Parameters<typeof entryOf>[1]): TreeEntry | null {
    const { place } = this.#request;
    const entry = entryOf(target, found);
    if (entry === null) return null;
    const { type } = entry.header;
    if (type === 'character-device' || type === 'block-device' || type === 'fifo') {
      if (!tree.devices) {
        throw dockerfileError(
          place,
          `${readable(path)} in ${tree.name} is a ${type}; files, directories and links can be copied`,
        );
      }
      return entry;
    }
    return type === 'file' ? { ...entry, content: { openFile: () => tree.files.openFile(path) } } : entry;
  }

  #put(path: string, entry: TreeEntry | null, keepsOwner: boolean): void {
    if (entry === null) return;
    const { place } = this.#request;
    if (path.slice(path.lastIndexOf('/') + 1).startsWith(WHITEOUT)) {
      throw dockerfileError(place, `${readable(path)}: in an image a name that begins with ${WHITEOUT} deletes a file`);
    }
    this.#entries.add(path, { ...entry, header: this.#owned(entry.header, keepsOwner) });
  }

  #owned(header: TarHeader, keepsOwner: boolean): TarHeader {
    const { owner, mode, mtimeSeconds } = this.#request;
    return {
      ...header,
      ...(owner ?? (keepsOwner ? {} : ROOT)),
      ...(mode !== null && header.type !== 'symlink' && { mode }),
      ...(mtimeSeconds !== null && { mtimeSeconds, mtimeNanos: 0 }),
    };
  }
}
