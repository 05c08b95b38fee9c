import {
  chmodSync,
  chownSync,
  closeSync,
  constants,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { constants as os } from 'node:os';
import type { LayerTarget } from '../../drivers/contract/graph.ts';
import { fileError, makeNode, setTimes, trySetXattr } from '../../ffi/files/layer-files.ts';
import { inSlices } from '../../ffi/slices.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { LayerLimits } from '../image.ts';
import { invalidTar, readable, type TarHeader, toBytes } from '../tar/header.ts';
import type { DataSink } from '../tar/sparse.ts';
import { fileSink, setPathTimes } from './file-sink.ts';
import { hostile, join, type LayerNode, LayerTree, newNode, type Place, pathComponents } from './layer-tree.ts';
import { isWhiteout, LayerWhiteouts } from './layer-whiteouts.ts';
import { SetAside } from './set-aside.ts';
import { WHITEOUTS, type Whiteouts } from './whiteouts.ts';

/** Documentation/filesystems/overlayfs.rst */
const OVERLAY_XATTR = /^(trusted|user)\.overlay\./;
const MKNOD_TYPES = {
  'character-device': constants.S_IFCHR,
  'block-device': constants.S_IFBLK,
  fifo: constants.S_IFIFO,
};
const MKDIR_MODE = 0o755;

/** Writes tar entries below a layer target. Whatever the archive says, nothing outside the target is touched. */
export class LayerWriter {
  readonly #tree: LayerTree;
  /** Null for a full copy. */
  readonly #whiteouts: Whiteouts | null;
  readonly #limits: LayerLimits;
  readonly #aside: SetAside;
  readonly #hidden: LayerWhiteouts;
  #entries = 0;
  #sparseBytes = 0;
  #openFd = -1;
  #filePath = '';
  #lostContent = false;

  constructor(target: LayerTarget, limits: LayerLimits) {
    this.#whiteouts = WHITEOUTS[target.whiteouts];
    this.#tree = new LayerTree(target.path, this.#whiteouts === null);
    this.#limits = limits;
    this.#aside = new SetAside(target.path);
    this.#hidden = new LayerWhiteouts(this.#tree, this.#whiteouts, this.#aside);
  }

  get entries(): number {
    return this.#entries;
  }

  /** Byte string: where the regular file of the last {@link add} is in the layer. */
  get filePath(): string {
    return this.#filePath;
  }

  /** True when the archive held a file that a later entry of it replaced: the layer does not have that content. */
  get lostContent(): boolean {
    return this.#lostContent;
  }

  /**
   * Applies one entry; the result takes a regular file's bytes.
   * @throws TSD_LAYER_HOSTILE, TSD_IMAGE_INVALID, TSD_DISK_FULL, TSD_SYSCALL.
   */
  add(header: TarHeader): DataSink | null {
    this.#entries += 1;
    if (this.#entries > this.#limits.maxEntries) {
      throw hostile(`the layer has more than ${this.#limits.maxEntries} entries`);
    }
    if (header.size > this.#limits.maxBytes) {
      throw hostile(`${readable(header.name)} of ${header.size} bytes is larger than ${this.#limits.maxBytes}`);
    }
    if (header.sparse) this.#sparseBytes += header.size;
    // The others are counted where they are read.
    if (this.#sparseBytes > this.#limits.maxBytes) {
      throw hostile(`the sparse files of the layer are larger than ${this.#limits.maxBytes} bytes together`);
    }
    try {
      return this.#add(header);
    } catch (thrown) {
      throw fileError(thrown, `unpack ${readable(header.name)}`);
    }
  }

  /** Times of directories, last because writing into a directory changes its time. */
  async finish(): Promise<void> {
    await this.#aside.delete();
    await inSlices(this.#applyDirectoryTimes({ node: this.#tree.root, path: '' }));
  }

  /** Gives up in the middle of a file. */
  abort(): void {
    if (this.#openFd >= 0) closeSync(this.#openFd);
    this.#openFd = -1;
  }

  #add(header: TarHeader): DataSink | null {
    const components = pathComponents(header.name);
    const name = components.pop();
    if (name === undefined) {
      this.#setRoot(header);
      return null;
    }
    if (isWhiteout(name)) {
      this.#hidden.add(name, () => this.#resolveParent(components));
      return null;
    }
    const parent = this.#resolveParent(components);
    const linkSource = header.type === 'link' ? this.#linkSource(header) : null;
    if (linkSource?.path.startsWith(`${join(parent.path, name)}/`)) {
      throw invalidTar(`hard link ${readable(header.name)} would replace the directory of what it links to`);
    }
    const replaced = this.#makeRoom(parent, name, header.type, linkSource?.node);
    const place: Place = { node: replaced.node, path: join(parent.path, name) };
    parent.node.children.set(name, place.node);
    if (linkSource !== null) {
      this.#addLink(linkSource, place);
      return null;
    }
    return this.#create(header, place, replaced);
  }

  #create(header: TarHeader, place: Place, made: { exists: boolean; opaque: boolean }): DataSink | null {
    const path = this.#tree.hostPath(place.path);
    switch (header.type) {
      case 'directory':
        if (!made.exists) mkdirSync(path, { mode: MKDIR_MODE });
        if (made.opaque) this.#hidden.markOpaque(place.path);
        this.#setDirectory(header, place, path);
        return null;
      case 'symlink':
        if (header.linkname === '') throw invalidTar(`symlink ${readable(header.name)} has no target`);
        place.node.link = header.linkname;
        symlinkSync(toBytes(header.linkname), path);
        lchownSync(path, header.uid, header.gid);
        this.#setXattrs(header, path);
        setPathTimes(header, path);
        return null;
      case 'file':
        this.#filePath = place.path;
        return this.#openFile(header, path);
      case 'link':
        throw new TsdError('TSD_BUG', 'a hard link is not created from its header');
      default:
        makeNode(path, MKNOD_TYPES[header.type] | header.mode, header.major, header.minor);
        chownSync(path, header.uid, header.gid);
        chmodSync(path, header.mode);
        this.#setXattrs(header, path);
        setPathTimes(header, path);
        return null;
    }
  }

  #openFile(header: TarHeader, path: Buffer): DataSink {
    const fd = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    this.#openFd = fd;
    return fileSink(fd, header, { path, setXattrs: () => this.#setXattrs(header, path), done: () => this.abort() });
  }

  #resolveParent(components: readonly string[]): Place {
    const make = (parent: Place, name: string): LayerNode => this.#makeParent(parent, name);
    return this.#tree.resolve(components, make) as Place;
  }

  /** A directory that the archive uses without an entry of its own. */
  #makeParent(parent: Place, name: string): LayerNode {
    const { node, opaque } = this.#makeRoom(parent, name, 'directory', undefined);
    if (this.#whiteouts?.isReserved(name)) throw hostile(`a directory named ${readable(name)}`);
    const path = join(parent.path, name);
    mkdirSync(this.#tree.hostPath(path), { mode: MKDIR_MODE });
    if (opaque) this.#hidden.markOpaque(path);
    parent.node.children.set(name, node);
    return node;
  }

  /**
   * Removes what is in the way of a new entry: the later of two entries wins, and only a directory is merged into a
   * directory.
   */
  #makeRoom(
    parent: Place,
    name: string,
    type: TarHeader['type'],
    linkSource: LayerNode | undefined,
  ): { node: LayerNode; exists: boolean; opaque: boolean } {
    const existing = this.#tree.child(parent, name);
    if (existing === undefined) return { node: newNode(nodeKind(type), true), exists: false, opaque: false };
    if (existing.kind === 'directory' && type === 'directory') {
      existing.own = true;
      return { node: existing, exists: true, opaque: false };
    }
    if (existing === linkSource) throw invalidTar(`${readable(join(parent.path, name))} is a hard link to itself`);
    const hidden = existing.kind === 'whiteout';
    this.#remove(parent.path, name, existing);
    parent.node.children.delete(name);
    return { node: newNode(nodeKind(type), true), exists: false, opaque: hidden && type === 'directory' };
  }

  #remove(directory: string, name: string, node: LayerNode): void {
    if (node.kind === 'whiteout') {
      unlinkSync(this.#tree.hostPath(join(directory, this.#whiteouts?.nameOf(name) ?? name)));
      return;
    }
    if (node.own) this.#lostContent = true;
    const path = this.#tree.hostPath(join(directory, name));
    if (node.kind === 'directory') this.#aside.take(path);
    else unlinkSync(path);
  }

  #linkSource(header: TarHeader): Place {
    const components = pathComponents(header.linkname);
    const name = components.pop();
    const parent = this.#tree.resolve(components, null);
    const node = name === undefined || parent === null ? undefined : this.#tree.child(parent, name);
    if (parent === null || name === undefined || node === undefined || node.kind === 'whiteout') {
      throw invalidTar(`hard link ${readable(header.name)} to ${readable(header.linkname)}, which is not in the layer`);
    }
    if (node.kind === 'directory') throw invalidTar(`hard link ${readable(header.name)} to a directory`);
    return { node, path: join(parent.path, name) };
  }

  #addLink(source: Place, place: Place): void {
    place.node.kind = source.node.kind;
    place.node.link = source.node.link;
    linkSync(this.#tree.hostPath(source.path), this.#tree.hostPath(place.path));
  }

  #setRoot(header: TarHeader): void {
    if (header.type !== 'directory') throw hostile('an entry would replace the root of the layer');
    this.#setDirectory(header, { node: this.#tree.root, path: '' }, this.#tree.hostPath(''));
  }

  #setDirectory(header: TarHeader, place: Place, path: Buffer): void {
    chownSync(path, header.uid, header.gid);
    chmodSync(path, header.mode);
    this.#setXattrs(header, path);
    place.node.own = true;
    place.node.mtime = { seconds: header.mtimeSeconds, nanos: header.mtimeNanos };
  }

  /**
   * A filesystem without extended attributes is not an error, as in Docker, except for file capabilities: a program that
   * silently lost its privileges is hard to understand.
   */
  #setXattrs(header: TarHeader, path: Buffer): void {
    for (const [name, value] of header.xattrs) {
      if (OVERLAY_XATTR.test(name)) throw hostile(`${readable(header.name)} sets ${name}`);
      const error = trySetXattr(path, name, value);
      if (error !== null && (error.errno !== os.errno.EOPNOTSUPP || name === 'security.capability')) throw error;
    }
  }

  *#applyDirectoryTimes(place: Place): Generator<null, void> {
    yield null;
    for (const [name, node] of place.node.children) {
      if (node.kind === 'directory') yield* this.#applyDirectoryTimes({ node, path: join(place.path, name) });
    }
    const { mtime } = place.node;
    if (mtime !== null) setTimes(this.#tree.hostPath(place.path), mtime.seconds, mtime.nanos);
  }
}

function nodeKind(type: TarHeader['type']): LayerNode['kind'] {
  if (type === 'directory' || type === 'file' || type === 'symlink') return type;
  return 'other';
}
