/**
 * What is: restored from disk and seen in the kernel, as one snapshot of plain data. The planner compares it with the
 * desired state; nothing here can act.
 */

import type { Instant } from './clock.ts';
import type { ObservedHealth, ProbeSet } from './health.ts';
import type { ResourceKey } from './resource.ts';
import type { ObservedUpdate } from './update.ts';

/** A record that is there and cannot be read: what it is about is not known to be gone. */
export interface Unread {
  readonly message: string;
  readonly hint: string;
}

export interface ObservedImage {
  readonly key: ResourceKey;
  readonly specHash: string;
  /** Config digest, hex; null while it is not loaded. */
  readonly imageId: string | null;
  /** False when a refresh of it was requested. */
  readonly current: boolean;
  /** Of a build: which image each of the same app that it uses was when it was built. Left out, not known. */
  readonly bases?: Readonly<Record<ResourceKey, string>> | null;
  /** Its record is there and cannot be read, with what to do. Left out, it can, or there is none. */
  readonly unread?: Unread;
}

export interface ObservedVolume {
  readonly key: ResourceKey;
  readonly specHash: string;
  readonly volumeId: string;
  /** Kept data of a volume that no manifest declares any more. */
  readonly released: boolean;
  /** What its last declaration said. */
  readonly onRemove: 'keep' | 'delete';
}

export interface ObservedNetwork {
  readonly key: ResourceKey;
  readonly specHash: string;
  /** Normalised spec it was made from, for the field diff. */
  readonly spec: unknown;
  /** What it is where its spec leaves that open: fields of a manifest with the values that would say the same. */
  readonly decided: Readonly<Record<string, unknown>>;
  /** What its driver misses in the kernel, as short noun phrases; empty when all is as configured. */
  readonly missing: readonly string[];
}

/** How the last run ended. */
export interface ObservedExit {
  /** 0–255, 128 + signal; null when it is unknown. */
  readonly code: number | null;
  readonly oomKilled: boolean;
  readonly finishedAtWallMs: number;
  /** On the boot clock of this boot; null when it ended in another boot. */
  readonly finishedAtBootMs: number | null;
  /** How long the run lasted. */
  readonly ranForMs: number;
}

/** Addresses of a container on one network, without prefix lengths. */
export interface ObservedAddresses {
  readonly network: ResourceKey;
  readonly ipv4: string | null;
  readonly ipv6: string | null;
}

export interface ObservedContainer {
  /** Null for a container that no manifest or API call of ours made (a Docker 1.4 root). */
  readonly key: ResourceKey | null;
  readonly id: string;
  readonly engineName: string;
  readonly specHash: string;
  /** Normalised spec it was made from, for the field diff. */
  readonly spec: unknown;
  readonly contentHashes: Readonly<Record<string, string>>;
  readonly imageId: string | null;
  /** The graph or exec driver that made it is not the one in use. */
  readonly available: boolean;
  /** Why the state of its last run is unknown; the container is left alone until it is known. */
  readonly unknown?: string | null;
  /** Why its run is not over although its payload has ended: it is left alone until that is. */
  readonly unrecorded?: string | null;
  readonly run: number;
  readonly running: boolean;
  readonly paused: boolean;
  readonly pid: number | null;
  readonly startedAtWallMs: number | null;
  readonly startedAtBootMs: number | null;
  /** Null before the first run and while running. */
  readonly exit: ObservedExit | null;
  /** The start itself failed: text and class of the error; cleared by a start that works. */
  readonly startError: { readonly class: string; readonly message: string } | null;
  /** Network namespace and endpoint exist. */
  readonly sandbox: boolean;
  /** Host ports lead to it. Left out, not known. */
  readonly published?: boolean;
  /** What differs from the configuration in the kernel: `veth missing`, `port 8080 missing`. */
  readonly drift: readonly string[];
  readonly restarts: RestartCounters;
  /** A manual `stop` that holds until `start`, a changed spec or its own end. */
  readonly stopOverride: boolean;
  /** Spec hash of the declaration that stop was given for. Left out or null, what the container was made from. */
  readonly stopHash?: string | null;
  /** What a person gives its run to end, in place of its spec. Left out or null, the spec counts. */
  readonly stopTimeoutMs?: number | null;
  /** When that stop is over. Left out, it has no end of its own. */
  readonly stopUntil?: Instant | null;
  /** It did not run when the supervisor started, and `--restart=false` leaves it so: as if it had been stopped. Left out, false. */
  readonly leftDown?: boolean;
  /** A manual stop ended this run and is over; nothing has been started since. Left out, false. */
  readonly stopExpired?: boolean;
  /** A restart, once, asked for by a person. */
  readonly restartRequested: boolean;
  /** That was asked for by no person: it ran when all were stopped with the host or the supervisor. */
  readonly afterShutdown?: boolean;
  /** Addresses of the containers it was started with, by alias, to notice when they change. */
  readonly linkAddresses: Readonly<Record<string, string>>;
  /** Those that the environment of its run names. Left out, none. */
  readonly envAddresses?: Readonly<Record<string, string>>;
  /** Its addresses, in the order of its interfaces. Left out, none. */
  readonly endpoints?: readonly ObservedAddresses[];
  /** {@link runName} of what it depends on, as it was when this run started. Left out, not known. */
  readonly dependencyRuns?: Readonly<Record<string, string>>;
  /** Of its present or last run; null without probes. Left out, null. */
  readonly health?: ObservedHealth | null;
}

/** Tells one run of one container from all others. */
export function runName({ id, run }: Pick<ObservedContainer, 'id' | 'run'>): string {
  return `${id.slice(0, 12)}:${run}`;
}

export interface RestartCounters {
  /** Starts by policy since the container was made or changed. */
  readonly restarts: number;
  /** Quick failures in a row; decides the next delay. */
  readonly consecutive: number;
}

/** A thing of ours in the kernel or on disk whose owner is gone. */
export interface Orphan {
  readonly type: 'snapshot' | 'sandbox' | 'process' | 'bridge' | 'lease' | 'state';
  readonly id: string;
}

export interface ObservedState {
  readonly images: ReadonlyMap<ResourceKey, ObservedImage>;
  readonly volumes: ReadonlyMap<ResourceKey, ObservedVolume>;
  /** Volumes whose record cannot be read. Left out, there are none. */
  readonly unreadVolumes?: ReadonlyMap<ResourceKey, Unread>;
  /** The record of one that may be any volume. Left out, there is none. */
  readonly unknownVolume?: Unread;
  readonly networks: ReadonlyMap<ResourceKey, ObservedNetwork>;
  /** Why a network that is made now has no IPv6 where it leaves that open. Left out, it has, or is not to, or none is made. */
  readonly lacksIpv6?: string;
  readonly containers: ReadonlyMap<ResourceKey, ObservedContainer>;
  readonly orphans: readonly Orphan[];
  /** Failures of earlier ops by key: when to try again, on the boot clock; null waits for a change. */
  readonly failures: ReadonlyMap<ResourceKey, OpFailure>;
  /** Deletions of data that a person approved, by key. */
  readonly approvals: ReadonlySet<ResourceKey>;
  /**
   * Why the host could not start a container with its desired spec just now, in a sentence: image not on this host,
   * bind source missing, port owned by another program. Nothing that runs is stopped for such a container.
   */
  readonly obstacles: ReadonlyMap<ResourceKey, string>;
  /** What a person can do about an obstacle, where it says so. Left out, none does. */
  readonly obstacleHints?: ReadonlyMap<ResourceKey, string>;
  /** Missing bind sources that a container asks to create, by its key. Absent: none. */
  readonly missingDirectories?: ReadonlyMap<ResourceKey, readonly string[]>;
  /** HEALTHCHECK of the image that a container is made from, by the container's key. Left out, none has one. */
  readonly healthchecks?: ReadonlyMap<ResourceKey, ProbeSet>;
  /** Updates in progress or failed, by container. Absent: none. */
  readonly updates?: ReadonlyMap<ResourceKey, ObservedUpdate>;
}

export interface OpFailure {
  /** The kind of op that failed; left out where it was no single one, and in what earlier versions wrote down. */
  readonly op?: string;
  readonly class: string;
  readonly message: string;
  /** What a person can do about it; left out in what earlier versions wrote down. */
  readonly hint?: string;
  /** The spec the failure happened with; a changed spec is tried at once. */
  readonly specHash: string;
  readonly attempts: number;
  readonly retryAtBootMs: number | null;
}
