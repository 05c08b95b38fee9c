/** The input of a build, and what it needs from the container and image side. */
import type { MountSpec, ResourceLimits, TaskExit, TaskSpec } from '../../drivers/contract/exec.ts';
import type { RootMount } from '../../drivers/contract/graph.ts';
import type { LoadContext } from '../image.ts';
import type { BuildCache } from './cache.ts';
import type { Downloaded, DownloadRequest } from './downloads.ts';
import type { SourceTree } from './files/source-tree.ts';

export interface BuiltLayer {
  readonly chainId: string;
  readonly diffId: string;
}

/** An image whose layers are in the graph. */
export interface BaseImage {
  readonly id: string;
  readonly configJson: string;
  /** Bottom first. */
  readonly layers: readonly BuiltLayer[];
}

export const NETWORK_MODES = ['default', 'none', 'host'] as const;
export type BuildNetwork = (typeof NETWORK_MODES)[number];

/** `network.host`: RUN may use the network of the host. */
export type Permission = 'network.host';

/** What a command may use. */
export interface RunLimits extends Omit<ResourceLimits, 'pids'> {
  /** Size of /dev/shm; null for the usual one. */
  readonly shmBytes: number | null;
  readonly ulimits: TaskSpec['ulimits'];
}

export type BuildStream = 'stdout' | 'stderr';

export interface RunRequest {
  /** Snapshot whose files are the root; also the container's id. */
  readonly id: string;
  readonly root: RootMount;
  readonly argv: readonly string[];
  /** `K=V`. */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: string;
  readonly network: BuildNetwork;
  /** Null for none. */
  readonly limits: RunLimits | null;
  /** `name:address` for its hosts file. */
  readonly extraHosts: readonly string[];
  readonly mounts: readonly MountSpec[];
  /** Called with what the command writes, while it writes it. */
  readonly output: (text: string, stream: BuildStream) => void;
}

export interface BuildHost {
  readonly load: LoadContext;
  readonly cache: BuildCache;
  /** Wall clock, Unix ms. */
  readonly now: () => number;
  /** The image that FROM or --from names: of this host, or of its registry. */
  readonly baseImage: (name: string, platform: string | null, signal: AbortSignal) => Promise<BaseImage>;
  /** Lends a writable tree on top of a layer; it is gone when `work` ends. */
  readonly withSnapshot: <T>(parent: string | null, work: (id: string, root: RootMount) => Promise<T>) => Promise<T>;
  /** Runs a command to its end. When the signal aborts it is killed and the call rejects; nothing of it stays. */
  readonly run: (request: RunRequest, signal: AbortSignal) => Promise<TaskExit>;
  /** Lends a directory that lives as long as `work`, for files of the build. */
  readonly withDirectory: <T>(work: (path: string) => Promise<T>) => Promise<T>;
  /**
   * Brings the file of a URL, as the network has it, to a path in a directory that was lent.
   * @throws TSD_DOWNLOAD, TSD_DISK_FULL.
   */
  readonly download: (
    request: DownloadRequest,
    network: Exclude<BuildNetwork, 'none'>,
    signal: AbortSignal,
  ) => Promise<Downloaded>;
  /** Lends the directory of a cache mount, which stays from build to build. */
  readonly withCacheMount: <T>(
    mount: {
      readonly id: string;
      readonly locked: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    },
    work: (path: string) => Promise<T>,
  ) => Promise<T>;
}

/** A further source of files and images, by the name that FROM and --from use. */
export type NamedContext =
  | { readonly type: 'files'; readonly tree: SourceTree }
  | { readonly type: 'image'; readonly name: string };

/** What happens in a build beyond what is shown of it; `label` names the step. */
export type BuildDetail = { readonly label: string } & (
  | { readonly type: 'from'; readonly message: string }
  | { readonly type: 'running'; readonly id: string }
  | { readonly type: 'exited'; readonly command: readonly string[]; readonly code: number }
  /** Id of the image that this would be; null for an empty one. */
  | { readonly type: 'made'; readonly id: string | null }
);

export interface BuildReporter {
  /** An instruction begins, or is known from before. */
  readonly step: (label: string, text: string, cached: boolean) => void;
  readonly output: (label: string, text: string, stream: BuildStream) => void;
  readonly warning: (text: string) => void;
  /** The Dockerfile is read: so many steps, FROM among them. */
  readonly plan?: (steps: number) => void;
  readonly detail?: (detail: BuildDetail) => void;
}

export interface BuildRequest {
  readonly dockerfile: { readonly text: string /** As shown in messages. */; readonly name: string };
  readonly context: SourceTree;
  readonly contexts: ReadonlyMap<string, NamedContext>;
  readonly args: Readonly<Record<string, string>>;
  /** Added to what the Dockerfile says. */
  readonly labels: Readonly<Record<string, string>>;
  readonly env: Readonly<Record<string, string>>;
  readonly target: string | null;
  /** `os/architecture[/variant]` to build for; null for this machine's. */
  readonly platform: string | null;
  /** Of ADD, and of RUN that names none. */
  readonly network: BuildNetwork;
  /** What instructions may ask for beyond that. */
  readonly allow: readonly Permission[];
  readonly noCache: boolean;
  /** Of RUN; null for none. */
  readonly limits: RunLimits | null;
  /** `name:address` for the hosts file of RUN. */
  readonly extraHosts: readonly string[];
  /** Unix seconds: files and configuration carry no later time. */
  readonly sourceDateEpoch: number | null;
  /** Values of --mount=type=secret by id. */
  readonly secrets: ReadonlyMap<string, Buffer>;
}
