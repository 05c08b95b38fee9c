/** Images as files of the host, changes of containers, and what all that takes on disk. */
import type { TransferEvent } from './transfer-event.ts';

export interface SaveRequest {
  /** `repository[:tag]`, an id or its beginning; a repository alone means all its tags. */
  readonly images: readonly string[];
  /** Absolute path of the archive to write, or of the directory: `oci-layout`. */
  readonly path: string;
  readonly format: 'docker' | 'oci' | 'oci-layout';
}

export interface ImportRequest {
  /** Absolute path of the tar of a root filesystem, plain or compressed. */
  readonly path: string;
  /** `repository[:tag]` of the new image; empty for none. */
  readonly name: string;
  /** Dockerfile instructions for its configuration. */
  readonly changes: readonly string[];
  readonly message: string;
}

export interface CommitRequest {
  /** `repository[:tag]` of the new image; empty for none. */
  readonly name: string;
  readonly changes: readonly string[];
  readonly message: string;
  readonly author: string;
  /** The `config` object of an image: what it says goes before what the image below says; left out, nothing. */
  readonly config?: Readonly<Record<string, unknown>> | undefined;
}

export interface ChangeView {
  readonly kind: 'added' | 'modified' | 'deleted';
  /** Absolute in the container. */
  readonly path: string;
}

/** An image or layer with what builds on it. */
export interface TreeNodeView {
  readonly id: string;
  readonly type: 'layer' | 'image';
  readonly tags: readonly string[];
  /** Bytes of this layer alone; 0 for an image. */
  readonly size: number;
  readonly children: readonly TreeNodeView[];
}

export interface DiskUsageView {
  readonly rows: readonly {
    readonly type: 'images' | 'containers' | 'volumes' | 'logs' | 'pinned files' | 'build cache';
    readonly count: number;
    readonly active: number;
    readonly bytes: number;
    /** What `system prune` would free, or removing what is not in use; null where nothing of it is ours to remove. */
    readonly reclaimable: number | null;
  }[];
  /** Of the filesystem that holds the root directory. */
  readonly filesystem: { readonly bytes: number; readonly free: number };
}

export interface PruneRequest {
  /** Also images that have a name, unless something needs them, and what builds keep for later ones. */
  readonly all: boolean;
  /** Also data without a name whose container is gone: this is the approval of its deletion. */
  readonly volumes: boolean;
  readonly dryRun: boolean;
  /**
   * The approved list of a dry run: nothing else is removed. The build cache is one item and is removed as a whole.
   * Null for no such limit.
   */
  readonly listed: PruneView | null;
}

export interface PruneView {
  readonly images: readonly { readonly id: string; readonly tags: readonly string[] }[];
  readonly layers: readonly { readonly id: string; readonly bytes: number }[];
  readonly volumes: readonly {
    readonly id: string;
    readonly name: string;
    readonly target: string;
    readonly bytes: number;
  }[];
  /** Copies of files that no kept generation and no container needs. */
  readonly copies: readonly { readonly name: string; readonly bytes: number }[];
  /** Size of the build cache without layers. */
  readonly buildCacheBytes: number;
  /** Of all together. */
  readonly bytes: number;
}

/** @typeParam Event what long calls stream. */
export interface ImageFilesApi {
  save(request: SaveRequest, signal?: AbortSignal): AsyncIterable<TransferEvent>;
  import(request: ImportRequest, signal?: AbortSignal): AsyncIterable<TransferEvent>;
  /** Writes a container's root filesystem as a tar to an absolute path. */
  export(container: string, path: string, signal?: AbortSignal): AsyncIterable<TransferEvent>;
  /** Makes an image of a container's changes on top of its image; the container is paused while they are read. */
  commit(container: string, request: CommitRequest, signal?: AbortSignal): AsyncIterable<TransferEvent>;
  /** What a container changed of its image, without what is only a place to mount on. */
  changes(container: string, signal?: AbortSignal): Promise<readonly ChangeView[]>;
  tree(): Promise<readonly TreeNodeView[]>;
  diskUsage(): Promise<DiskUsageView>;
  prune(request: PruneRequest): Promise<PruneView>;
}
