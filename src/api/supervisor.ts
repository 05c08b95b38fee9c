/**
 * What the API serves: the running supervisor seen from outside. The composition root gives an implementation to the
 * server; the client speaks the same shapes over HTTP.
 */

import type { AttachedSession, StdioSession } from '../drivers/contract/exec.ts';
import type { Kind } from '../model/resource.ts';
import type { BuildApi } from './images/build.ts';
import type { ImageFilesApi } from './images/image-files.ts';
import type { RegistryApi } from './images/registry-views.ts';
import type {
  ApplyEvent,
  ApplyOptions,
  ExecRequest,
  HostShutdownView,
  LogEntry,
  LogOptions,
  ManifestInput,
  RemoveRequest,
  ResetOptions,
  ResetView,
  RollbackOptions,
  StartedView,
  StartOptions,
} from './requests.ts';
import type { EventOptions, EventView, HistoryView, WhyView } from './views/explain-views.ts';
import type { DoctorCheck, InfoView } from './views/host-views.ts';
import type { ApprovalView, ApprovedView, DiffView, PlanView } from './views/plan-views.ts';
import type { DescribeView, ListName, ViewOfKind } from './views/resource-views.ts';

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
  /**
   * @param forMs how long the stop holds; null until `start` or a changed spec
   * @param signal ends the wait; the stop continues
   */
  stop(name: string, timeoutMs: number | null, forMs: number | null, signal?: AbortSignal): Promise<void>;
  /** Resolves when it has settled or completed. */
  start(name: string, options?: StartOptions, signal?: AbortSignal): Promise<StartedView>;
  restart(name: string, timeoutMs: number | null, options?: StartOptions, signal?: AbortSignal): Promise<StartedView>;
  /** Containers of an app as APP/NAME. @throws TsdError TSD_NO_SUCH_RESOURCE when it has none */
  members(app: string): readonly string[];
  /** @param cancelled ends the wait for a container that is about to run */
  kill(name: string, signal: string, cancelled?: AbortSignal): Promise<void>;
  /** Resolves with the exit code of the current run, at once when it is not running. */
  wait(name: string, signal?: AbortSignal): Promise<number>;
  logs(name: string, options: LogOptions, signal?: AbortSignal): AsyncIterable<LogEntry>;
  /** @param signal ends the wait for a container that is about to run */
  exec(name: string, request: ExecRequest, signal?: AbortSignal): Promise<StdioSession>;
  /** The container's own stdio, from now on. */
  attach(name: string, signal?: AbortSignal): Promise<AttachedSession>;
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
