/**
 * What the API serves: the running supervisor seen from outside. The composition root gives an implementation to the
 * server; the client speaks the same shapes over HTTP.
 */

import type { AttachedSession, StdioSession } from '../drivers/contract/exec.ts';
import type { TsdErrorJson } from '../model/errors/errors.ts';
import type { HealthState, ProbeName } from '../model/health.ts';
import type { Condition, Phase } from '../model/phases.ts';
import type { Kind, SourcePosition } from '../model/resource.ts';
import type { EventOptions, EventView, HistoryView, WhyView } from './explain-views.ts';
import type { BuildApi } from './images/build.ts';
import type { ImageFilesApi } from './images/image-files.ts';
import type { RegistryApi } from './images/registry-views.ts';
import type { TransferEvent } from './images/transfer-event.ts';

/** One problem of a manifest, at its place. */
export interface IssueView {
  readonly code: string;
  readonly message: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly hint?: string;
}

/** What the probes of a container found in its present or last run. */
export interface HealthView {
  readonly state: HealthState;
  /** Why it is not healthy; empty when it is. */
  readonly message: string;
  /** The latest, oldest first. */
  readonly results: readonly {
    readonly at: string;
    readonly probe: ProbeName;
    readonly ok: boolean;
    readonly ms: number;
    readonly output: string;
  }[];
}

export interface ContainerView {
  readonly name: string;
  readonly app: string;
  readonly engineName: string;
  readonly id: string;
  readonly phase: Phase;
  readonly ready: boolean;
  readonly pid: number | null;
  readonly exitCode: number | null;
  readonly restarts: number;
  /** Image as written in the manifest. */
  readonly image: string;
  readonly imageId: string | null;
  readonly address: string | null;
  /** `0.0.0.0:8080->80/tcp`. */
  readonly ports: readonly string[];
  /** RFC 3339. */
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** Why it is in this phase, for people. */
  readonly message: string;
  /** What to do about the message; empty when nothing is known. */
  readonly hint: string;
  readonly source: SourcePosition | null;
  readonly conditions: readonly Condition[];
  /** Null without probes. */
  readonly health: HealthView | null;
}

export interface ImageView {
  readonly name: string;
  readonly app: string;
  readonly id: string | null;
  readonly tags: readonly string[];
  readonly size: number | null;
  readonly created: string | null;
  readonly phase: 'Pending' | 'Ready' | 'Failed';
  readonly message: string;
  /** What to do about the message; empty when nothing is known. */
  readonly hint: string;
  readonly source: SourcePosition | null;
  readonly conditions: readonly Condition[];
}

export interface VolumeView {
  /** Of an anonymous one its container's and the beginning of its id, `web:3f2a90cd11e5`. */
  readonly name: string;
  readonly app: string;
  readonly id: string;
  readonly path: string;
  readonly phase: 'Pending' | 'Ready' | 'Released' | 'Failed';
  /** For one that an image asked for, or a mount without a name: where it is in which container (`app/name`). */
  readonly anonymous: { readonly container: string; readonly target: string } | null;
  /** When its container went, as far as the history reaches; null for what is not released. */
  readonly releasedAt: string | null;
  readonly usedBy: readonly string[];
  readonly message: string;
  /** What to do about the message; empty when nothing is known. */
  readonly hint: string;
  readonly source: SourcePosition | null;
  readonly conditions: readonly Condition[];
}

export interface NetworkView {
  readonly name: string;
  readonly app: string;
  readonly bridge: string;
  readonly subnet: string | null;
  readonly gateway: string | null;
  readonly phase: 'Pending' | 'Ready' | 'Failed';
  readonly containers: number;
  readonly message: string;
  /** What to do about the message; empty when nothing is known. */
  readonly hint: string;
  readonly source: SourcePosition | null;
  readonly conditions: readonly Condition[];
}

export interface ManifestView {
  readonly file: string;
  readonly app: string | null;
  readonly origin: 'watched' | 'applied' | 'api';
  /** `Held`: the edit is not taken over until `tsdocker approve`. */
  readonly state: 'Active' | 'Rejected' | 'Held';
  readonly generation: number;
  readonly issues: readonly IssueView[];
  /** What a file in a format of others says and its translation does not. */
  readonly warnings: readonly IssueView[];
  /** Why the manifest of now is not taken over; null when it is. */
  readonly held: string | null;
  /** Changed files of an applied manifest; null for none. */
  readonly changed: {
    readonly generation: number;
    readonly files: readonly string[];
    readonly secrets: readonly string[];
  } | null;
  /** What to do about the first problem or the wait; empty where there is neither. */
  readonly hint: string;
}

/** The changes that `tsdocker approve` approved. */
export interface ApprovedView {
  readonly names: readonly string[];
  /** What keeps it from being carried out; null for nothing. */
  readonly postponed: TsdErrorJson | null;
}

/** What waits for `tsdocker approve`, and what that would lead to. */
export interface ApprovalView {
  /** As `approve` takes it: the watched directory, an app, `volume/APP/NAME`, or `APP@store` beside `APP@copy`. */
  readonly name: string;
  /** `choice`: one of several that exclude each other; it is approved by its name only. */
  readonly kind: 'directory' | 'app' | 'volume' | 'choice';
  /** Why it waits. */
  readonly message: string;
  /** How declarations would change; `deleted` is the data of a volume. */
  readonly changes: readonly { readonly resource: string; readonly change: DiffView['change'] | 'deleted' }[];
}

export interface ViewOfKind {
  readonly containers: ContainerView;
  readonly images: ImageView;
  readonly volumes: VolumeView;
  readonly networks: NetworkView;
  readonly manifests: ManifestView;
}
export type ListName = keyof ViewOfKind;

/** `plan -o json` (issue: ops with id, op, resource, cause, dependsOn). */
export interface PlanView {
  readonly generation: number;
  readonly ops: readonly {
    readonly id: string;
    readonly op: string;
    readonly resource: string;
    readonly cause: string;
    readonly dependsOn: readonly string[];
    readonly source: SourcePosition | null;
  }[];
  readonly holds: readonly {
    readonly resource: string;
    readonly reason: string;
    readonly message: string;
    /** What to do about it; empty where nothing is known. */
    readonly hint: string;
  }[];
  /** Of the manifests that the plan was asked for with. */
  readonly issues: readonly IssueView[];
  /** What waits for a person, in a plan of this moment. */
  readonly approvals: readonly ApprovalView[];
  /** Those that are not in force as they are written, or only in part, in a plan of this moment. */
  readonly manifests: readonly ManifestView[];
  /** Valid declarations that can surprise. Earlier supervisors omit it. */
  readonly notes?: readonly NoteView[];
  /** Files that are not brought along, or count otherwise than one may think. Left out by supervisors of before. */
  readonly fileNotes?: readonly FileNote[];
  /** The ops as lines for people. */
  readonly text: string;
}

/** A remark about a declaration; it keeps nothing from being done. */
export interface NoteView extends SourcePosition {
  readonly resource: string;
  readonly message: string;
  readonly hint: string;
  /** It takes protection away. */
  readonly warning?: true;
}

export interface FileNote {
  /**
   * `live`: a file that is used as it is at the moment. `changed`: an applied manifest whose files are not what they were
   * then. `secret`: one that is newer. `lost`: what cannot be brought back.
   */
  readonly kind: 'live' | 'changed' | 'secret' | 'lost';
  /** Key of the resource, file of the manifest, or path as written. */
  readonly resource: string;
  readonly message: string;
  /** What to do about it; empty where there is nothing to do. */
  readonly hint: string;
}

/** One field that differs between what is applied and what a manifest says. */
export interface DiffView {
  readonly resource: string;
  readonly change: 'added' | 'removed' | 'changed';
  readonly fields: readonly {
    readonly path: string;
    readonly from: unknown;
    readonly to: unknown;
    readonly change: string;
  }[];
}

export interface ManifestInput {
  /** Absolute origin, or `-` for standard input. */
  readonly file: string;
  /** Absolute directory that relative paths start from; empty for standard input when none was given. */
  readonly baseDir: string;
  readonly text: string;
}

export interface RollbackOptions {
  /** Apps of watched files that differ are pinned to that generation until such a file changes. */
  readonly hold: boolean;
  readonly dryRun: boolean;
  readonly waitMs: number | null;
  /** How long a container without a probe has to run; left out or null, what the manifests say. */
  readonly settleMs?: number | null | undefined;
  /** Uid of the process that asks, by the socket; a client does not say it. */
  readonly askedBy?: number | null;
}

export interface ApplyOptions {
  readonly dryRun: boolean;
  /** Null does not wait. */
  readonly waitMs: number | null;
  /** How long a container without a probe has to run; left out or null, what the manifests say. */
  readonly settleMs?: number | null | undefined;
  /** Also builds declared images again, each step of them. */
  readonly noCache?: boolean | undefined;
  /** Also resolves the images of the manifests again, as if they were edited. */
  readonly refresh?: boolean | undefined;
  /** Uid of the process that asks, by the socket; a client does not say it. */
  readonly askedBy?: number | null;
}

export interface StartOptions {
  /** How long a container without a probe has to run; left out or null, what its manifest says. */
  readonly settleMs?: number | null | undefined;
  /** Time limit for everything; default or null: a minute and the stop timeout of its run. */
  readonly waitMs?: number | null | undefined;
  /** The same request goes to others at the same time: dependencies can come first. */
  readonly together?: boolean | undefined;
}

/** What came of a command on one container of an app. */
export interface MemberOutcome {
  /** APP/NAME. */
  readonly name: string;
  readonly state: StartedView['state'] | null;
  readonly error: TsdErrorJson | null;
}

/** How a container that was started is. */
export interface StartedView {
  readonly state: 'ready' | 'completed';
  /** What shows that. */
  readonly message: string;
}

/** What `delete` takes away. */
export interface RemoveRequest {
  readonly files: readonly ManifestInput[];
  readonly resources: readonly { readonly kind: Kind; readonly name: string }[];
  readonly all: boolean;
  readonly waitMs: number | null;
  /** Uid of the process that asks, by the socket; a client does not say it. */
  readonly askedBy?: number | null;
}

/** What `apply` streams: progress of ops, then one result. */
export type ApplyEvent =
  | { readonly type: 'accepted'; readonly generation: number; readonly plan: PlanView }
  | { readonly type: 'rejected'; readonly issues: readonly IssueView[] }
  /** Before anything is done. */
  | { readonly type: 'notes'; readonly notes: readonly FileNote[] }
  /** It was accepted, and this keeps it from being carried out. */
  | { readonly type: 'postponed'; readonly error: TsdErrorJson }
  | {
      readonly type: 'op';
      readonly id: string;
      readonly resource: string;
      readonly status: 'started' | 'done' | 'failed' | 'skipped';
      readonly ms: number;
      readonly error?: TsdErrorJson;
    }
  | { readonly type: 'waiting'; readonly resource: string; readonly message: string }
  | TransferEvent;

/** What the host's kernel can do for containers; null where that could not be looked at. */
export interface HostAbilities {
  readonly memoryLimit: boolean | null;
  readonly swapLimit: boolean | null;
  /** By their names below `resources` of a manifest. */
  readonly limits: Readonly<Record<string, boolean | null>>;
  readonly ipv4Forwarding: boolean | null;
  readonly ipv6Forwarding: boolean | null;
  readonly appArmor: boolean | null;
  readonly cgroupVersion: 1 | 2 | null;
}

export interface InfoView extends HostAbilities {
  readonly version: string;
  readonly instance: string;
  /** Of the key in key.json, as libtrust writes it: `ABCD:EFGH:…`. */
  readonly id: string;
  readonly root: string;
  readonly runDir: string;
  readonly manifests: string;
  readonly socket: string;
  readonly graphDriver: string;
  readonly execDriver: string;
  readonly networkDriver: string;
  readonly defaultBridge: string;
  readonly generation: number;
  readonly containers: number;
  readonly running: number;
  readonly images: number;
  readonly kernel: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly labels: readonly string[];
  readonly warnings: readonly string[];
}

export interface DescribeView {
  readonly kind: Kind;
  readonly name: string;
  readonly app: string;
  readonly view: ContainerView | ImageView | VolumeView | NetworkView;
  /** What to do about the message of the view; empty when nothing is known. */
  readonly hint: string;
  /** Normalised spec; secrets shown as their reference. */
  readonly spec: unknown;
  readonly specHash: string;
  readonly generation: number;
  /** Latest ops on it, newest last. */
  readonly ops: readonly {
    readonly at: string;
    readonly op: string;
    readonly cause: string;
    readonly status: string;
    readonly message: string;
  }[];
}

export interface LogOptions {
  readonly follow: boolean;
  /** Number of entries from the end; null for all. */
  readonly tail: number | null;
  /** Unix time in ms. */
  readonly sinceMs: number | null;
  /** Unix time in ms: entries before it, and with `follow` the time to end at. */
  readonly untilMs: number | null;
  readonly stdout: boolean;
  readonly stderr: boolean;
}

export interface LogEntry {
  readonly log: string;
  readonly stream: 'stdout' | 'stderr';
  /** RFC 3339 with nanoseconds. */
  readonly time: string;
}

export interface ExecRequest {
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string | null;
  readonly user: string;
  readonly tty: boolean;
  readonly stdin: boolean;
}

export interface AttachRequest {
  /** Input is wanted; there is one only where the container takes some. */
  readonly stdin: boolean;
}

/** A check of `doctor`: what this host can and cannot do, with the fix. */
export interface DoctorCheck {
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'failed';
  readonly message: string;
  readonly fix: string | null;
}

/** `signal` of a streaming call aborts when the one who asked is gone; the stream then ends without an error. */
export interface SupervisorApi {
  info(): InfoView;
  list<L extends ListName>(list: L): readonly ViewOfKind[L][];
  describe(kind: Kind, name: string): DescribeView;
  /** Takes over manifests and, with `wait`, streams until everything of them is ready or `timeoutMs` passed. */
  apply(inputs: readonly ManifestInput[], options: ApplyOptions, signal?: AbortSignal): AsyncIterable<ApplyEvent>;
  /** What would be done now, or with these manifests applied. */
  plan(inputs: readonly ManifestInput[]): Promise<PlanView>;
  /** What waits for {@link SupervisorApi.approve}. */
  approvals(): readonly ApprovalView[];
  diff(inputs: readonly ManifestInput[]): Promise<readonly DiffView[]>;
  /** Removes applied manifests by origin, resources by name, or all applied ones. */
  remove(request: RemoveRequest, signal?: AbortSignal): AsyncIterable<ApplyEvent>;
  /** Approves held removals and data loss: of one resource or manifest, or all that are pending. */
  approve(names: readonly string[], askedBy?: number | null): Promise<ApprovedView>;
  /** @param forMs how long the stop holds; null until `start` or a changed spec */
  stop(name: string, timeoutMs: number | null, forMs: number | null): Promise<void>;
  /** Resolves when it has settled or completed. */
  start(name: string, options?: StartOptions, signal?: AbortSignal): Promise<StartedView>;
  restart(name: string, timeoutMs: number | null, options?: StartOptions, signal?: AbortSignal): Promise<StartedView>;
  /** Containers of an app as APP/NAME. @throws TsdError TSD_NO_SUCH_RESOURCE when it has none */
  members(app: string): readonly string[];
  kill(name: string, signal: string): Promise<void>;
  /** Resolves with the exit code of the current run, at once when it is not running. */
  wait(name: string, signal?: AbortSignal): Promise<number>;
  logs(name: string, options: LogOptions, signal?: AbortSignal): AsyncIterable<LogEntry>;
  exec(name: string, request: ExecRequest): Promise<StdioSession>;
  /** The container's own stdio, from now on. */
  attach(name: string): Promise<AttachedSession>;
  /** Loads the images of an archive or OCI layout that is on this host and tags them. */
  load(path: string, signal?: AbortSignal): AsyncIterable<ApplyEvent>;
  readonly builds: BuildApi;
  readonly imageFiles: ImageFilesApi;
  readonly registry: RegistryApi;
  doctor(): Promise<readonly DoctorCheck[]>;
  /** Generations, newest first. */
  history(limit: number): readonly HistoryView[];
  /** What a generation changed. */
  historyDiff(generation: number): readonly DiffView[];
  /** Goes back to an earlier generation, as a new one; streams like `apply`. */
  rollback(generation: number, options: RollbackOptions, signal?: AbortSignal): AsyncIterable<ApplyEvent>;
  why(kind: Kind, name: string): WhyView;
  timeline(options: EventOptions, signal?: AbortSignal): AsyncIterable<EventView>;
  /** A list now, and again whenever it is another one. */
  watch<L extends ListName>(list: L, signal?: AbortSignal): AsyncIterable<readonly ViewOfKind[L][]>;
  /**
   * The host goes down: ends the loop and stops every container, dependents first. What is wanted stays, so that the next
   * boot starts them.
   */
  hostShutdown(): Promise<HostShutdownView>;
  /**
   * Takes the whole instance away and ends the supervisor: containers, networks, rules, layers, images and state; data of
   * volumes only where that is asked for. Resolves when nothing of it is in the kernel any more; the files go right after.
   */
  reset(options: ResetOptions): Promise<ResetView>;
}

export interface HostShutdownView {
  /** How many containers ran and were stopped. */
  readonly stopped: number;
  /** Names of those that still run. */
  readonly running: readonly string[];
  /** Those of them that were asked to end. */
  readonly ending: readonly string[];
}

export interface ResetOptions {
  readonly volumes: boolean;
}

export interface ResetView {
  /** Containers that ran. */
  readonly stopped: number;
  /** Objects that had to stay, in sentences. */
  readonly stays: readonly string[];
}
