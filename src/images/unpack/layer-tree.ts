import { lstatSync, readlinkSync } from 'node:fs';
import { TsdError } from '../../model/errors/errors.ts';
import { append } from '../../model/lists.ts';
import { fromBytes, readable, toBytes } from '../tar/header.ts';

/** What the layer holds at one name. */
export interface LayerNode {
  kind: 'directory' | 'file' | 'symlink' | 'other' | 'whiteout';
  /** False for what was copied from the parent layer and this layer's tar did not mention. */
  own: boolean;
  /** Byte string; target of a symlink. */
  link: string;
  readonly children: Map<string, LayerNode>;
  /** The disk may hold children that are not in `children`. */
  inherited: boolean;
  /** Set when the directory's entry was met; applied when everything is written. */
  mtime: { readonly seconds: number; readonly nanos: number } | null;
}

/** A directory of the layer: its node and its path below the layer's root, without a leading slash. */
export interface Place {
  readonly node: LayerNode;
  readonly path: string;
}

/** MAXSYMLINKS of include/linux/namei.h */
const MAX_SYMLINKS = 40;
/** NAME_MAX and PATH_MAX of include/uapi/linux/limits.h */
const NAME_MAX = 255;
const PATH_MAX = 4096;
/** Directories in each other: far more than real trees have, and few enough to walk recursively. */
const MAX_DEPTH = 512;

export function hostile(message: string): TsdError {
  return new TsdError('TSD_LAYER_HOSTILE', message, { step: 'unpack layer' });
}

export function newNode(kind: LayerNode['kind'], own: boolean): LayerNode {
  return { kind, own, link: '', children: new Map(), inherited: false, mtime: null };
}

export const join = (directory: string, name: string): string => (directory === '' ? name : `${directory}/${name}`);

/**
 * The components of an archive's path, made relative to the layer as Docker does: a leading slash is dropped, `.` and
 * inner `..` are resolved in the text. @throws TSD_LAYER_HOSTILE for a path that climbs out of the layer.
 */
export function pathComponents(path: string): string[] {
  const components: string[] = [];
  if (path.includes('\0')) throw hostile(`a path with a NUL byte: ${JSON.stringify(readable(path))}`);
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part.length > NAME_MAX) throw hostile(`a name of ${part.length} bytes: ${readable(part.slice(0, 40))}…`);
    if (part !== '..') components.push(part);
    else if (components.pop() === undefined) throw hostile(`path leaves the layer: ${readable(path)}`);
  }
  return components;
}

/**
 * An index of what a layer holds. Paths are decided from it and not by the kernel: the layer starts empty (or as a copy
 * that no one else writes to), so the index is exact, and no symlink of an archive is ever followed by a system call.
 */
export class LayerTree {
  readonly root: LayerNode;
  readonly #base: string;

  /** @param inherited the directory already holds a copy of the parent layer. */
  constructor(base: string, inherited: boolean) {
    this.#base = base;
    this.root = newNode('directory', false);
    this.root.inherited = inherited;
  }

  /** Path on this host of a place in the layer. @throws TSD_LAYER_HOSTILE when the kernel could not take it. */
  hostPath(path: string): Buffer {
    const bytes = toBytes(path === '' ? '' : `/${path}`);
    const full = Buffer.concat([Buffer.from(this.#base), bytes]);
    if (full.length >= PATH_MAX) throw hostile(`a path of ${bytes.length} bytes: ${readable(path.slice(0, 60))}…`);
    return full;
  }

  child(place: Place, name: string): LayerNode | undefined {
    const known = place.node.children.get(name);
    if (known !== undefined || !place.node.inherited) return known;
    const found = this.#readNode(join(place.path, name));
    if (found !== undefined) place.node.children.set(name, found);
    return found;
  }

  /**
   * Resolves a path to a directory as a process chrooted into the layer would: absolute symlinks start at the layer's
   * root and `..` stops there.
   * @param makeDirectory called for each component that is missing; null: the result is null then.
   */
  resolve(
    components: readonly string[],
    makeDirectory: ((parent: Place, name: string) => LayerNode) | null,
  ): Place | null {
    const stack: Place[] = [{ node: this.root, path: '' }];
    const pending = components.toReversed();
    let symlinks = 0;
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      if (name === '..') {
        if (stack.length > 1) stack.pop();
        continue;
      }
      const here = stack.at(-1) as Place;
      let node = this.child(here, name);
      if (node === undefined || node.kind === 'whiteout') {
        if (makeDirectory === null) return null;
        node = makeDirectory(here, name);
      }
      if (node.kind === 'symlink') {
        if (++symlinks > MAX_SYMLINKS)
          throw hostile(`too many symlinks on the way to ${readable(components.join('/'))}`);
        if (node.link.startsWith('/')) stack.length = 1;
        append(pending, linkComponents(node.link).reverse());
      } else if (node.kind === 'directory') {
        if (stack.length > MAX_DEPTH) throw hostile(`directories nested more than ${MAX_DEPTH} deep`);
        stack.push({ node, path: join(here.path, name) });
      } else {
        throw hostile(`${readable(join(here.path, name))} is not a directory but something is to be put below it`);
      }
    }
    return stack.at(-1) as Place;
  }

  #readNode(path: string): LayerNode | undefined {
    const hostPath = this.hostPath(path);
    const stat = lstatSync(hostPath, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (stat.isDirectory()) return { ...newNode('directory', false), inherited: true };
    if (stat.isFile()) return newNode('file', false);
    if (!stat.isSymbolicLink()) return newNode('other', false);
    return { ...newNode('symlink', false), link: fromBytes(readlinkSync(hostPath, { encoding: 'buffer' })) };
  }
}

/** `..` stays: it is resolved against where the link leads, not in the text. */
function linkComponents(link: string): string[] {
  return link.split('/').filter((part) => part !== '' && part !== '.');
}
