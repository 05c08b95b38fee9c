/** What a storage driver does: layers of images and snapshots of containers. */
import type { MountCall } from '../../ffi/storage/mounts.ts';
import type { Driver } from './driver.ts';

/** A root filesystem as plain data; the exec driver mounts it. Paths are absolute. */
export type RootMount =
  | { readonly type: 'overlay'; readonly lowers: readonly string[]; readonly upper: string; readonly work: string }
  | { readonly type: 'bind'; readonly source: string }
  /** A sequence of mount(2) calls at `place`; the root is `subdirectory` of the result ('': the result itself). */
  | {
      readonly type: 'calls';
      readonly place: string;
      readonly calls: readonly MountCall[];
      readonly subdirectory: string;
    };

/** The directory into which one layer is unpacked. `path` is empty and private until the layer is committed. */
export interface LayerTarget {
  readonly path: string;
  /** How a deletion of a lower file is recorded: as a whiteout of that filesystem, or by deleting from a full copy. */
  readonly whiteouts: 'overlay' | 'aufs' | 'delete';
}

/** One difference between a layer or snapshot and its parent. */
export interface LayerChange {
  readonly kind: 'added' | 'modified' | 'deleted';
  /** Relative to the root filesystem, without a leading slash; empty for the root directory itself. File names are bytes. */
  readonly path: Buffer;
  /** Path at which the file can be read; null for a deleted one. */
  readonly hostPath: Buffer | null;
  /** Of a modified directory: owner, mode and attributes are those below, it is named for its time or for what is in it. */
  readonly onlyTime?: boolean;
}

/** A readable view of a layer: at least the files the layer itself adds. `path` is valid in any process until `close`. */
export interface LayerFiles {
  readonly path: string;
  close(): void;
}

export interface GraphDriver extends Driver {
  /**
   * Creates the read-only layer `id` on `parent` (null: a base layer). `fill` writes the content; the layer exists once
   * `fill` has resolved and the result is durable. When the layer exists already, `fill` is not called.
   */
  createLayer(id: string, parent: string | null, fill: (target: LayerTarget) => Promise<void>): Promise<void>;
  /**
   * Creates the writable snapshot `id` of a container on layer `parent`. Idempotent; another parent is a conflict. Once any
   * later write is durable, a crash of the host loses nothing of the snapshot as created.
   */
  createSnapshot(id: string, parent: string | null): Promise<void>;
  /** Returns the files of a layer; the caller closes it. @throws TSD_IMAGE_MISSING */
  openLayer(id: string): LayerFiles;
  /** Returns the mount of a snapshot, nearest lower layer first. */
  rootMount(id: string): RootMount;
  /**
   * Yields the differences between a layer or snapshot and its parent, directories before their entries. Without a parent
   * every file is `added`. A deleted directory is one change; a directory with a changed entry is `modified`. A file that
   * was rewritten with its old content may be reported as modified. Changes by a running container may be missed.
   */
  changes(id: string, signal?: AbortSignal): AsyncIterable<LayerChange>;
  /** Removes a layer or snapshot. @throws TSD_LAYER_CONFLICT for a layer that has children */
  remove(id: string): Promise<void>;
  exists(id: string): boolean;
  /** Returns the ids of all layers and snapshots; costs one directory read. */
  ids(): readonly string[];
  /** Returns all layers and snapshots of this instance, known or orphaned; costs a look at each. */
  list(): readonly { readonly id: string; readonly parent: string | null; readonly type: 'layer' | 'snapshot' }[];
  /** Returns the bytes on disk of this layer or snapshot: hard links count once, blocks shared with the parent do not. */
  size(id: string): Promise<number>;
  /** Releases the driver's own kernel objects. Mounts of containers stay. The driver remains usable. */
  close(): void;
}
