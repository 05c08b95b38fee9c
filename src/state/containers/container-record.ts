import type { ErrorClass } from '../../model/errors/error-class.ts';
import type { ContainerOverride } from '../../model/imperative/override.ts';
import type { ImperativeRequest } from '../../model/imperative/request.ts';
import type { JsonValue } from '../../model/json.ts';
import type { ExposedPort, Protocol } from '../../model/kinds/short-forms.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { HostConfig, RunConfig } from './run-config.ts';

/** What we remember a container to be doing. `restarting` waits for its next run by policy and has no process. */
export type RunStatus = 'created' | 'running' | 'paused' | 'restarting' | 'exited';

/** The last run. Wall times are RFC 3339 text, null for "never"; boot times are CLOCK_BOOTTIME ms of boot `bootId`. */
export interface RunState {
  readonly status: RunStatus;
  /** 0 without a process. */
  readonly pid: number;
  /** How the last run ended: 128 + signal when killed; null when none has ended or its end is unknown. */
  readonly exitCode: number | null;
  readonly oomKilled: boolean;
  /** Why the last start failed; cleared by one that works. */
  readonly startError: { readonly class: ErrorClass; readonly message: string } | null;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** The boot that the two times below belong to; empty before the first run. */
  readonly bootId: string;
  readonly startedAtBootMs: number | null;
  readonly finishedAtBootMs: number | null;
}

export const NEVER_RUN: RunState = {
  status: 'created',
  pid: 0,
  exitCode: null,
  oomKilled: false,
  startError: null,
  startedAt: null,
  finishedAt: null,
  bootId: '',
  startedAtBootMs: null,
  finishedAtBootMs: null,
};

/** Identity of a run's processes, as the exec driver gave it. */
export interface RunHandle {
  readonly containerId: string;
  readonly run: number;
  readonly bootId: string;
  readonly pid: number;
  readonly startTime: string;
  readonly startedAtMs: number;
  /** Read by the exec driver alone. */
  readonly driverState: { readonly [key: string]: JsonValue };
}

export interface RecordedPort {
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: Protocol;
}

/**
 * The network of the container that leads out, in the one form that Docker 1.4 has, and what is published there; recorded
 * while the container is connected.
 */
export interface ContainerNetwork {
  /** IPv4 without prefix length; null without one. */
  readonly address: string | null;
  readonly prefixLength: number;
  readonly mac: string | null;
  readonly gateway: string | null;
  readonly bridge: string;
  readonly ports: readonly RecordedPort[];
  /** Ports declared and not published. */
  readonly exposed: readonly ExposedPort[];
}

/** A network that the container is attached to. */
export interface RecordedEndpoint {
  readonly network: ResourceKey;
  /** Interface of the network on the host. */
  readonly bridge: string;
  /** Inside. */
  readonly interfaceName: string;
  /** Addresses with prefix length. */
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  /** Null for the driver's own choice. */
  readonly mac: string | null;
  /** Of the network. */
  readonly gateway4: string | null;
  readonly gateway6: string | null;
  /** Families whose default route leads through it. */
  readonly defaultRoute: { readonly ipv4: boolean; readonly ipv6: boolean };
  /** Names on this network beside those that the container has on all. */
  readonly aliases: readonly string[];
  /** Addresses, with prefix length, from before it took over those of its predecessor; left out, there are none. */
  readonly former?: { readonly ipv4: string | null; readonly ipv6: string | null };
}

interface RestartRecord {
  /** Starts by policy since the container was created or changed. */
  readonly restarts: number;
  /** Quick failures in a row. */
  readonly consecutive: number;
  /** A person asked for one restart that has not happened yet. */
  readonly requested: boolean;
  /** It is asked for because the container ran when all were stopped with the host or the supervisor. */
  readonly afterShutdown?: boolean;
}

export interface StopOverride {
  /** When it was given. */
  readonly at: string;
  /** Hash of the declaration it was given for; null where only that of the container is known. */
  readonly specHash: string | null;
  /** When it is over; null without an end. */
  readonly until: Moment | null;
}

/** Within boot `bootId` the boot clock counts, since the wall clock may be set; after a reboot the wall clock has to do. */
export interface Moment {
  readonly at: string;
  readonly bootId: string;
  readonly atBootMs: number;
}

/** The declaration that the container was created from. */
export interface ContainerOwner {
  readonly key: ResourceKey;
  /** The normalised spec, secrets replaced by references, and the version of the schema it was written for. */
  readonly written: JsonValue;
  readonly schemaVersion: number;
  readonly specHash: string;
  /** sha256 of file contents that are part of the spec, by path as written. */
  readonly contentHashes: Readonly<Record<string, string>>;
  /** Names of the copies that it runs with in place of files of the host, by absolute path. Left out, there are none. */
  readonly files?: Readonly<Record<string, string>>;
  readonly generation: number;
  /** Of a container that no manifest declared: this record is its declaration. */
  readonly request?: ImperativeRequest;
  /** What a client changed of what the manifest says. */
  readonly override?: ContainerOverride;
}

export interface ResolverUse {
  /** `ndots` that its resolv.conf took over from the host; null for ours. */
  readonly ndots: number | null;
}

/** Everything known of one container. Immutable: an update replaces it. */
export interface ContainerRecord {
  readonly id: string;
  /** Null for a container that Docker 1.4 made. */
  readonly owner: ContainerOwner | null;
  /** Name in the link graph, without its leading slash. */
  readonly engineName: string;
  readonly created: string;
  readonly imageId: string;
  /** Graph driver key of the image's top layer; null for an empty image. */
  readonly topLayer: string | null;
  /** Graph driver key of the writable layer. */
  readonly snapshotId: string;
  readonly graphDriver: string;
  readonly execDriver: string;
  /** The command after image and spec are merged. */
  readonly path: string;
  readonly args: readonly string[];
  readonly config: RunConfig;
  readonly hostConfig: HostConfig;
  /** Number of the last run begun, from 1; written before the run is started, so that a lost start is found again. */
  readonly run: number;
  /** When that run was begun, in the same write; null in records of before there was this. */
  readonly begunAt: Moment | null;
  readonly state: RunState;
  /** Of the last run whose start worked; kept after its end, to identify the run of `state`. */
  readonly handle: RunHandle | null;
  readonly network: ContainerNetwork | null;
  /** All networks, in the order of the declaration. Left out, the one of `network`; see endpointsOf. */
  readonly endpoints?: readonly RecordedEndpoint[];
  /** Names of its interfaces, by network; kept while it is not connected. Left out, none. */
  readonly interfaceNames?: Readonly<Record<string, string>>;
  /** Host path by mount target. */
  readonly volumes: Readonly<Record<string, { readonly path: string; readonly writable: boolean }>>;
  /** A manual stop that holds until `start`, a changed spec or its own end. */
  readonly stopOverride: StopOverride | null;
  /** What a person gives its run to end; null for what its spec says. */
  readonly stopTimeoutMs: number | null;
  /** Number of the run that a client paused, until it is resumed. Left out, none is. */
  readonly pausedRun?: number;
  /** The signal that a run was asked to end with last, and when; null when none was. */
  readonly stopping: { readonly run: number; readonly signal: string; readonly at: Moment } | null;
  readonly restart: RestartRecord;
  /** Addresses of linked containers at the last start, by alias. */
  readonly linkAddresses: Readonly<Record<string, string>>;
  /** Addresses that the environment of its latest run names, by alias: they stay what they were at the start. */
  readonly envAddresses: Readonly<Record<string, string>>;
  /** Runs of what it depends on at the last start, by key. */
  readonly dependencyRuns: Readonly<Record<string, string>>;
  /** How the latest run asks for names: at the resolver; null for one that has them in its hosts file alone. */
  readonly resolver: ResolverUse | null;
  readonly hostnamePath: string;
  readonly hostsPath: string;
  readonly resolvConfPath: string;
}
