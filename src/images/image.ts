/** Sources of an image, and the result of loading one. */
import type { GraphDriver } from '../drivers/contract/graph.ts';
import type { LayerWork } from './layer-work.ts';

/** How to run the image, as declared beside a source that has no configuration of its own. */
export interface DeclaredImageConfig {
  readonly env?: Readonly<Record<string, string>> | undefined;
  readonly entrypoint?: readonly string[] | undefined;
  readonly command?: readonly string[] | undefined;
  readonly workingDir?: string | undefined;
  readonly user?: string | undefined;
  /** `80` or `80/tcp`. */
  readonly expose?: readonly string[] | undefined;
  /** Absolute paths in the image. */
  readonly volumes?: readonly string[] | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  readonly stopSignal?: string | undefined;
}

/** Paths are absolute paths of the host. */
export type ImageSource =
  /** A docker-archive or oci-archive tar, plain or compressed. `ref` picks one of several images. */
  | { readonly type: 'archive'; readonly path: string; readonly ref?: string | undefined }
  /** An OCI image layout directory. */
  | { readonly type: 'layout'; readonly path: string; readonly ref?: string | undefined }
  /** A directory or a tarball that becomes the only layer. */
  | { readonly type: 'rootfs'; readonly path: string; readonly config: DeclaredImageConfig }
  /** Binaries of this host (names in PATH or absolute paths) with what they need to run, and further files. */
  | {
      readonly type: 'host';
      readonly binaries: readonly string[];
      readonly paths: readonly string[];
      readonly config: DeclaredImageConfig;
    };

/** The `config` object of an OCI image configuration, with every absent part made explicit. */
export interface ImageConfig {
  /** `K=V`. */
  readonly env: readonly string[];
  readonly entrypoint: readonly string[] | null;
  readonly cmd: readonly string[] | null;
  /** Empty: `/`. */
  readonly workingDir: string;
  /** Empty: root. */
  readonly user: string;
  /** `80/tcp`. */
  readonly exposedPorts: readonly string[];
  readonly volumes: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal: string | null;
}

export interface LoadedLayer {
  /** OCI ChainID in hex: the graph driver's key. */
  readonly chainId: string;
  /** sha256 of the uncompressed tar, in hex. */
  readonly diffId: string;
  readonly parent: string | null;
  /** Bytes on disk. */
  readonly size: number;
}

export interface LoadedImage {
  /** Digest of `configJson` in hex. */
  readonly id: string;
  readonly config: ImageConfig;
  readonly architecture: string;
  readonly os: string;
  /** RFC 3339; the epoch where the image does not say. */
  readonly created: string;
  /** Names the source gives the image: `busybox:latest`. */
  readonly references: readonly string[];
  /** Bottom first. */
  readonly layers: readonly LoadedLayer[];
  readonly topLayer: string | null;
  readonly configJson: string;
  /** Id of the image of the container that it was committed from; left out for others. */
  readonly committedFrom?: string;
}

export type ImageProgress =
  | { readonly type: 'reading'; readonly what: string }
  /** What a registry has under the name: digests in hex, layers from the bottom. */
  | {
      readonly type: 'manifest';
      readonly digest: string;
      readonly size: number;
      readonly layers: readonly { readonly digest: string; readonly chainId: string }[];
    }
  /** Sent about once a mebibyte; `digest` is that of the blob, in hex. */
  | { readonly type: 'download'; readonly digest: string; readonly bytes: number; readonly total: number }
  | { readonly type: 'layer-exists'; readonly chainId: string }
  /** Sent about once a mebibyte; `bytes` counts stored bytes of the layer, `total` is their number. */
  | { readonly type: 'layer-progress'; readonly chainId: string; readonly bytes: number; readonly total: number | null }
  /** `bytes` counts the uncompressed tar. */
  | { readonly type: 'layer-done'; readonly chainId: string; readonly bytes: number };

/** Limits of one layer, against archives that fill the disk. */
export interface LayerLimits {
  readonly maxEntries: number;
  /** Uncompressed size of the layer's tar. */
  readonly maxBytes: number;
}

export const DEFAULT_LAYER_LIMITS: LayerLimits = { maxEntries: 2_000_000, maxBytes: 64 * 1024 ** 3 };

export interface LoadContext {
  readonly graph: GraphDriver;
  /** The layers that are being made in this graph by anyone. */
  readonly work: LayerWork<ImageProgress>;
  /** Directory for files that live as long as the call; made when it is missing. */
  readonly tmpDir: string;
  /** Directory that keeps, for each layer, how its tar is put together again; made when it is missing. */
  readonly recipes: string;
  readonly progress: (event: ImageProgress) => void;
  readonly limits?: LayerLimits | undefined;
  /** Asked before an image of an archive is unpacked, with the names it is to have; throws to refuse it. */
  readonly admit?: ((references: readonly string[]) => void) | undefined;
  /** Calls the work off: it ends soon, with the signal's reason, and nothing half made stays. */
  readonly signal?: AbortSignal | undefined;
}
