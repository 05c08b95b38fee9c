/** Places in the file tree of a stage, as entries of a layer on top of it. */
import type { Beneath } from '../../../ffi/files/beneath.ts';
import { type DockerfilePlace, dockerfileError } from '../../../model/dockerfile/place.ts';
import { sortInSteps } from '../../../model/sort-in-steps.ts';
import { readable } from '../../tar/header.ts';
import { tarHeader } from '../../tar/writer.ts';
import { entryOf } from '../../tree/scan.ts';
import type { TreeEntry } from '../../tree/tree-tar.ts';
import type { Owner } from './owners.ts';
import { join } from './source-tree.ts';

const DIRECTORY_MODE = 0o755;

/**
 * Entries by path, each path once: a layer that replaces its own entries cannot be put together again. Directories on the
 * way are entries too, as they are in the stage, since an overlay takes their owner and mode from the topmost layer.
 */
export class LayerEntries {
  readonly #root: Beneath;
  readonly #place: DockerfilePlace;
  readonly #entries = new Map<string, TreeEntry>();

  constructor(root: Beneath, place: DockerfilePlace) {
    this.#root = root;
    this.#place = place;
  }

  /** Parents before their children, sorted in steps. */
  *all(): Generator<null, TreeEntry[]> {
    const sorted = yield* sortInSteps([...this.#entries], ([a], [b]) => (a < b ? -1 : 1));
    return sorted.map(([, entry]) => entry);
  }

  /**
   * Resolves a path of the image: links in the existing part are followed, the missing part stays as written.
   * @param path absolute or relative, byte string.
   */
  locate(path: string): string {
    const pending = path.split('/').filter((part) => part !== '' && part !== '.');
    let at = '';
    for (const [index, part] of pending.entries()) {
      const next = this.#root.resolve(join(at, part));
      if (next === null) return pending.slice(index).reduce(join, at);
      at = next;
    }
    return at;
  }

  isDirectory(path: string): boolean {
    const made = this.#entries.get(path);
    if (made !== undefined) return made.header.type === 'directory';
    return path === '' || this.#root.stat(path)?.isDirectory() === true;
  }

  /** Returns the directory and creates it with missing parents for this owner. @throws TSD_DOCKERFILE. */
  directory(path: string, owner: Owner, mtimeSeconds: number): void {
    if (path === '' || this.#entries.get(path)?.header.type === 'directory') return;
    const slash = path.lastIndexOf('/');
    this.directory(slash < 0 ? '' : path.slice(0, slash), owner, mtimeSeconds);
    const existing = this.#existing(path);
    if (existing !== null) {
      this.#entries.set(path, existing);
      return;
    }
    const header = tarHeader({ type: 'directory', path: '', mode: DIRECTORY_MODE, ...owner, mtimeSeconds });
    this.#entries.set(path, { header: { ...header, name: `${path}/` }, content: null });
  }

  /** Puts an entry at its path; its parents are there already. A directory that is there keeps its owner and mode. */
  add(path: string, entry: TreeEntry): void {
    const { type } = entry.header;
    const isDirectory = this.isDirectory(path);
    if (type === 'directory' && isDirectory && path !== '') {
      const existing = this.#entries.get(path) ?? this.#existing(path);
      if (existing !== null) this.#entries.set(path, existing);
      return;
    }
    if (path === '' || (isDirectory && type !== 'directory')) {
      throw dockerfileError(this.#place, `cannot put a ${type} at /${readable(path)}: a directory is there`);
    }
    this.#entries.set(path, entry);
  }

  #existing(path: string): TreeEntry | null {
    const stat = this.#root.stat(path);
    if (stat === null) return null;
    if (!stat.isDirectory()) throw dockerfileError(this.#place, `/${readable(path)} is not a directory in the stage`);
    return this.#root.look(path, (found) => entryOf(path, found));
  }
}
