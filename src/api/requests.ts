/** What is asked of the supervisor, and what it answers or streams. */
import type { TsdErrorJson } from '../model/errors/errors.ts';
import type { Kind } from '../model/resource.ts';
import type { TransferEvent } from './images/transfer-event.ts';
import type { FileNote, PlanView } from './views/plan-views.ts';
import type { IssueView } from './views/resource-views.ts';

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

/** How a container that was started is. */
export interface StartedView {
  readonly state: 'ready' | 'completed';
  /** What shows that. */
  readonly message: string;
}

/** What came of a command on one container of an app. */
export interface MemberOutcome {
  /** APP/NAME. */
  readonly name: string;
  readonly state: StartedView['state'] | null;
  readonly error: TsdErrorJson | null;
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

export interface ResetOptions {
  readonly volumes: boolean;
}

export interface ResetView {
  /** Containers that ran. */
  readonly stopped: number;
  /** Objects that had to stay, in sentences. */
  readonly stays: readonly string[];
}

export interface HostShutdownView {
  /** How many containers ran and were stopped. */
  readonly stopped: number;
  /** Names of those that still run. */
  readonly running: readonly string[];
  /** Those of them that were asked to end. */
  readonly ending: readonly string[];
}
