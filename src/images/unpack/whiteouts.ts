import { constants, writeFileSync } from 'node:fs';
import type { LayerTarget } from '../../drivers/contract/graph.ts';
import { makeNode, setXattr } from '../../ffi/files/layer-files.ts';

/** How a layer that is merged with those below it says what it hides of them. */
export interface Whiteouts {
  /** Name of the whiteout in the directory of what it hides. */
  readonly nameOf: (hidden: string) => string;
  readonly make: (path: Buffer) => void;
  /** Name of the mark in a directory below which nothing shines through; null for one without a name. */
  readonly opaqueMark: string | null;
  /** @param path of the directory, or of the mark in it. */
  readonly makeOpaque: (path: Buffer) => void;
  /** Whether a file of this name would mean something to the filesystem. */
  readonly isReserved: (name: string) => boolean;
}

/** Documentation/filesystems/overlayfs.rst */
const OVERLAY: Whiteouts = {
  nameOf: (hidden) => hidden,
  make: (path) => makeNode(path, constants.S_IFCHR, 0, 0),
  opaqueMark: null,
  makeOpaque: (path) => setXattr(path, 'trusted.overlay.opaque', Buffer.from('y')),
  isReserved: () => false,
};

const emptyFile = (path: Buffer): void => writeFileSync(path, '', { mode: 0o444 });

/** include/uapi/linux/aufs_type.h; the form of layers in archives comes from it. */
const AUFS: Whiteouts = {
  nameOf: (hidden) => `.wh.${hidden}`,
  make: emptyFile,
  opaqueMark: '.wh..wh..opq',
  makeOpaque: emptyFile,
  isReserved: (name) => name.startsWith('.wh.'),
};

/** Null where deletions are carried out in a full copy. */
export const WHITEOUTS: Readonly<Record<LayerTarget['whiteouts'], Whiteouts | null>> = {
  overlay: OVERLAY,
  aufs: AUFS,
  delete: null,
};
