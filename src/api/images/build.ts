/** Building images from Dockerfiles. */
import type { CredentialsView } from './registry-views.ts';
import type { TransferEvent } from './transfer-event.ts';

export const NETWORK_MODES = ['default', 'none', 'host'] as const;

/** What a build may be allowed beyond its network: `network.host`, that RUN uses the network of the host. */
export const PERMISSIONS = ['network.host'] as const;

/** What commands of a build may use; null leaves it open. */
export interface BuildLimits {
  readonly memoryBytes: number | null;
  /** Memory and swap; -1 for no limit. */
  readonly memorySwapBytes: number | null;
  readonly cpus: number | null;
  readonly cpuShares: number | null;
  readonly cpuset: string | null;
  /** Size of /dev/shm. */
  readonly shmBytes: number | null;
  readonly ulimits: Readonly<Record<string, { readonly soft: number; readonly hard: number }>>;
}

export interface BuildRequest {
  /** A directory or an archive on the host of the supervisor, absolute; null for none. */
  readonly context: { readonly type: 'directory' | 'archive'; readonly path: string } | null;
  /** Absolute, or relative to the context; ignored where the text is given. */
  readonly dockerfile: string;
  readonly dockerfileText: string | null;
  /** Absolute paths or `docker-image://name` by name. */
  readonly contexts: Readonly<Record<string, string>>;
  /** `repository[:tag]`. */
  readonly tags: readonly string[];
  readonly args: Readonly<Record<string, string>>;
  /** Added to what the Dockerfile says. */
  readonly labels: Readonly<Record<string, string>>;
  readonly target: string | null;
  readonly platform: string | null;
  readonly network: (typeof NETWORK_MODES)[number];
  /** Left out, nothing. */
  readonly allow?: readonly (typeof PERMISSIONS)[number][] | undefined;
  readonly noCache: boolean;
  /** Left out, none. */
  readonly limits?: BuildLimits | undefined;
  /** `name:address` for the hosts file of commands; left out, none. */
  readonly extraHosts?: readonly string[] | undefined;
  /** Images of registries are looked up there also where they are on this host; left out, they are not. */
  readonly pull?: boolean | undefined;
  /** Logins by registry, for these; left out, the supervisor's own. */
  readonly logins?: Readonly<Record<string, NonNullable<CredentialsView>>> | undefined;
  /** Absolute paths of files by id. */
  readonly secrets: Readonly<Record<string, string>>;
}

export type BuildEvent =
  | TransferEvent
  /** The Dockerfile is read: so many steps, FROM among them. */
  | { readonly type: 'plan'; readonly steps: number }
  | { readonly type: 'from'; readonly resource: string; readonly message: string }
  | { readonly type: 'step'; readonly resource: string; readonly message: string; readonly cached: boolean }
  /** The container of a RUN. */
  | { readonly type: 'running'; readonly resource: string; readonly id: string }
  | { readonly type: 'exited'; readonly resource: string; readonly command: readonly string[]; readonly code: number }
  /** What a step led to: id of the image that it would be; null for an empty one. */
  | { readonly type: 'made'; readonly resource: string; readonly id: string | null }
  /** `stream` is left out for what was written to stdout. */
  | { readonly type: 'output'; readonly resource: string; readonly text: string; readonly stream?: 'stderr' }
  | { readonly type: 'warning'; readonly message: string }
  | { readonly type: 'built'; readonly id: string; readonly tags: readonly string[] };

export interface BuildApi {
  /** Builds an image; it is cancelled when the signal aborts. Ends with `ready` or `failed`. */
  build(request: BuildRequest, signal?: AbortSignal): AsyncIterable<BuildEvent>;
}
