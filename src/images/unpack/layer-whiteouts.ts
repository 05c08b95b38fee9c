/** Applies whiteouts: they hide, or in a full copy delete, what the layers below have. */
import { chmodSync, chownSync, lstatSync, mkdirSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import { readXattrs, setXattr } from '../../ffi/files/layer-files.ts';
import { fromBytes, readable } from '../tar/header.ts';
import { hostile, join, type LayerNode, type LayerTree, newNode, type Place } from './layer-tree.ts';
import type { SetAside } from './set-aside.ts';
import type { Whiteouts } from './whiteouts.ts';

const WHITEOUT_PREFIX = '.wh.';
/** Bookkeeping of aufs (`.wh..wh.plnk`, `.wh..wh.orph`); has no place in a layer. */
const WHITEOUT_META_PREFIX = '.wh..wh.';
const OPAQUE_MARKER = '.wh..wh..opq';
const MKDIR_MODE = 0o755;

/** Reports whether an entry of this name is a whiteout, and no file. */
export const isWhiteout = (name: string): boolean => name.startsWith(WHITEOUT_PREFIX);

export class LayerWhiteouts {
  readonly #tree: LayerTree;
  /** Null for a full copy. */
  readonly #whiteouts: Whiteouts | null;
  readonly #aside: SetAside;

  constructor(tree: LayerTree, whiteouts: Whiteouts | null, aside: SetAside) {
    this.#tree = tree;
    this.#whiteouts = whiteouts;
    this.#aside = aside;
  }

  /**
   * Applies one whiteout entry.
   * @param parentOf returns its directory, made where the archive has not
   * @throws TSD_LAYER_HOSTILE
   */
  add(name: string, parentOf: () => Place): void {
    if (name === OPAQUE_MARKER) {
      this.#makeOpaque(parentOf());
      return;
    }
    if (name.startsWith(WHITEOUT_META_PREFIX)) return;
    const victim = name.slice(WHITEOUT_PREFIX.length);
    if (victim === '' || victim === '.' || victim === '..') {
      throw hostile(`whiteout ${readable(name)} names no file`);
    }
    const parent = parentOf();
    const path = join(parent.path, victim);
    const existing = this.#tree.child(parent, victim);
    // What this layer itself puts there stays; a whiteout is about the layers below (OCI image-spec, layer.md).
    if (this.#whiteouts !== null) {
      if (existing?.kind === 'directory') this.#makeOpaque({ node: existing, path });
      if (existing !== undefined) return;
      this.#whiteouts.make(this.#tree.hostPath(join(parent.path, this.#whiteouts.nameOf(victim))));
      parent.node.children.set(victim, newNode('whiteout', true));
    } else if (existing !== undefined && this.#dropInherited({ node: existing, path })) {
      parent.node.children.delete(victim);
    }
  }

  #makeOpaque(place: Place): void {
    if (this.#whiteouts !== null) this.markOpaque(place.path);
    else this.#dropInheritedChildren(place);
  }

  /** Hides what the layers below have in a directory. Does nothing in a full copy. */
  markOpaque(directory: string): void {
    if (this.#whiteouts === null) return;
    const { opaqueMark, makeOpaque } = this.#whiteouts;
    makeOpaque(this.#tree.hostPath(opaqueMark === null ? directory : join(directory, opaqueMark)));
  }

  /** Deletes what came from the parent layer. @returns whether the place itself is gone. */
  #dropInherited(place: Place): boolean {
    const { node, path } = place;
    if (node.kind !== 'directory') {
      if (!node.own) unlinkSync(this.#tree.hostPath(path));
      return !node.own;
    }
    if (!hasOwn(node)) {
      this.#aside.take(this.#tree.hostPath(path));
      return true;
    }
    this.#dropInheritedChildren(place);
    if (node.own || node.children.size > 0) return false;
    rmdirSync(this.#tree.hostPath(path));
    return true;
  }

  #dropInheritedChildren(place: Place): void {
    if (!place.node.inherited) return;
    if (place.path !== '' && ![...place.node.children.values()].some(hasOwn)) {
      this.#putEmptyCopy(this.#tree.hostPath(place.path));
      place.node.children.clear();
      place.node.inherited = false;
      return;
    }
    for (const bytes of readdirSync(this.#tree.hostPath(place.path), { encoding: 'buffer' })) {
      const name = fromBytes(bytes);
      if (place.path === '' && this.#aside.isPlace(name)) continue;
      const node = this.#tree.child(place, name) as LayerNode;
      if (this.#dropInherited({ node, path: join(place.path, name) })) place.node.children.delete(name);
    }
    place.node.inherited = false;
  }

  /** An empty directory of the same owner, mode and attributes in the place of one. */
  #putEmptyCopy(path: Buffer): void {
    const { uid, gid, mode } = lstatSync(path);
    const attributes = readXattrs(path);
    this.#aside.take(path);
    mkdirSync(path, { mode: MKDIR_MODE });
    chownSync(path, uid, gid);
    chmodSync(path, mode & 0o7777);
    for (const [name, value] of attributes) setXattr(path, name, value);
  }
}

/** Whether this layer's tar put something at this place or below it. */
function hasOwn(node: LayerNode): boolean {
  return node.own || [...node.children.values()].some(hasOwn);
}
