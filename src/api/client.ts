/** The supervisor's facade from another process: the same calls, over its socket. */
import type { AttachedSession, StdioSession } from '../drivers/contract/exec.ts';
import { TsdError } from '../model/errors/errors.ts';
import type { Kind } from '../model/resource.ts';
import { parseHost } from './address.ts';
import { BuildClient } from './images/build-client.ts';
import { ImageFilesClient } from './images/image-files-client.ts';
import { RegistryApiClient } from './images/registry-client.ts';
import type { JobRequest, JobsView } from './jobs.ts';
import { readNdjson } from './ndjson.ts';
import type {
  ApplyEvent,
  ApplyOptions,
  AttachRequest,
  ExecRequest,
  HostShutdownView,
  LogEntry,
  LogOptions,
  ManifestInput,
  MemberOutcome,
  RemoveRequest,
  ResetOptions,
  ResetView,
  RollbackOptions,
  StartedView,
  StartOptions,
} from './requests.ts';
import { openFrame, openSession } from './session-client.ts';
import type { SupervisorApi } from './supervisor.ts';
import { type Call, exchange, exchangeJson, upgrade } from './transport.ts';
import type { VersionView } from './version.ts';
import type { EventOptions, EventView, HistoryView, WhyView } from './views/explain-views.ts';
import type { DoctorCheck, InfoView } from './views/host-views.ts';
import type { ApprovalView, ApprovedView, DiffView, PlanView } from './views/plan-views.ts';
import type { DescribeView, ListName, ViewOfKind } from './views/resource-views.ts';

type StreamingOrAsync = Omit<
  SupervisorApi,
  'info' | 'list' | 'describe' | 'approvals' | 'history' | 'historyDiff' | 'members' | 'why' | 'attach'
>;

/**
 * Every call throws TsdError: what the supervisor answered; TSD_NO_SUPERVISOR when none answers or the connection was lost;
 * TSD_SOCKET_DENIED; TSD_VERSION_MISMATCH. Leaving a stream early ends it on the other side too.
 */
export class SupervisorClient implements StreamingOrAsync {
  readonly builds: BuildClient;
  readonly imageFiles: ImageFilesClient;
  readonly registry: RegistryApiClient;
  readonly #socketPath: string;

  /** @param host `unix:///path`. @throws TsdError TSD_FLAG for what is no address of a client. */
  constructor(host: string) {
    const address = parseHost(host);
    if (address.type !== 'unix')
      throw new TsdError('TSD_FLAG', `${host} is for the daemon; a client needs unix:///path`);
    this.#socketPath = address.path;
    this.builds = new BuildClient(address.path);
    this.imageFiles = new ImageFilesClient(address.path);
    this.registry = new RegistryApiClient(address.path);
  }

  version(): Promise<VersionView> {
    return this.#get('/version');
  }

  info(): Promise<InfoView> {
    return this.#get('/info');
  }

  list<L extends ListName>(list: L): Promise<readonly ViewOfKind[L][]> {
    return this.#get(`/${list}`);
  }

  describe(kind: Kind, name: string): Promise<DescribeView> {
    return this.#get(`/resources/${kind}/${encodeURIComponent(name)}`);
  }

  doctor(): Promise<readonly DoctorCheck[]> {
    return this.#get('/doctor');
  }

  apply(manifests: readonly ManifestInput[], options: ApplyOptions, signal?: AbortSignal): AsyncIterable<ApplyEvent> {
    return this.#stream({ method: 'POST', path: '/apply', body: { manifests, ...options }, signal });
  }

  plan(manifests: readonly ManifestInput[]): Promise<PlanView> {
    return this.#post('/plan', { manifests });
  }

  diff(manifests: readonly ManifestInput[]): Promise<readonly DiffView[]> {
    return this.#post('/diff', { manifests });
  }

  remove(request: RemoveRequest, signal?: AbortSignal): AsyncIterable<ApplyEvent> {
    return this.#stream({ method: 'POST', path: '/remove', body: request, signal });
  }

  hostShutdown(): Promise<HostShutdownView> {
    return this.#post('/host-shutdown', {});
  }

  reset(options: ResetOptions): Promise<ResetView> {
    return this.#post('/reset', options);
  }

  approvals(): Promise<readonly ApprovalView[]> {
    return this.#get('/approvals');
  }

  approve(names: readonly string[]): Promise<ApprovedView> {
    return this.#post('/approve', { names });
  }

  stop(name: string, timeoutMs: number | null, forMs: number | null): Promise<void> {
    return this.#post(containerPath(name, 'stop'), { timeoutMs, forMs });
  }

  start(name: string, options: StartOptions = {}): Promise<StartedView> {
    return this.#post(containerPath(name, 'start'), options);
  }

  restart(name: string, timeoutMs: number | null, options: StartOptions = {}): Promise<StartedView> {
    return this.#post(containerPath(name, 'restart'), { timeoutMs, ...options });
  }

  /** One command for all containers of an app; an outcome for each as it comes. */
  ofApp(
    app: string,
    verb: 'stop' | 'start' | 'restart',
    body: object,
    signal?: AbortSignal,
  ): AsyncIterable<MemberOutcome> {
    return this.#stream({ method: 'POST', path: `/apps/${encodeURIComponent(app)}/${verb}`, body, signal });
  }

  kill(name: string, signal: string): Promise<void> {
    return this.#post(containerPath(name, 'kill'), { signal });
  }

  async wait(name: string, signal?: AbortSignal): Promise<number> {
    const path = containerPath(name, 'wait');
    const answer = await exchangeJson<{ exitCode: number }>(this.#socketPath, {
      method: 'POST',
      path,
      body: {},
      signal,
    });
    return answer.exitCode;
  }

  logs(name: string, options: LogOptions, signal?: AbortSignal): AsyncIterable<LogEntry> {
    const query = new URLSearchParams();
    for (const [key, value] of Object.entries(options)) if (value !== null) query.set(key, String(value));
    return this.#stream({ method: 'GET', path: `${containerPath(name, 'logs')}?${query}`, signal });
  }

  async exec(name: string, request: ExecRequest): Promise<StdioSession> {
    return this.#session(containerPath(name, 'exec'), request);
  }

  async attach(name: string, request: AttachRequest): Promise<AttachedSession> {
    return this.#session(containerPath(name, 'attach'), request);
  }

  jobs(): Promise<JobsView> {
    return this.#get('/jobs');
  }

  /** Runs a job by name; the exit code of the session is its status. */
  async job(name: string, request: JobRequest): Promise<StdioSession> {
    return this.#session(`/jobs/${encodeURIComponent(name)}/run`, request);
  }

  load(path: string, signal?: AbortSignal): AsyncIterable<ApplyEvent> {
    return this.#stream({ method: 'POST', path: '/images/load', body: { path }, signal });
  }

  history(limit: number): Promise<readonly HistoryView[]> {
    return this.#get(`/history?limit=${limit}`);
  }

  historyDiff(generation: number): Promise<readonly DiffView[]> {
    return this.#get(`/history/${generation}/diff`);
  }

  rollback(generation: number, options: RollbackOptions, signal?: AbortSignal): AsyncIterable<ApplyEvent> {
    return this.#stream({ method: 'POST', path: '/rollback', body: { generation, ...options }, signal });
  }

  why(kind: Kind, name: string): Promise<WhyView> {
    return this.#get(`/why/${kind}/${encodeURIComponent(name)}`);
  }

  timeline({ follow, sinceMs }: EventOptions, signal?: AbortSignal): AsyncIterable<EventView> {
    const since = sinceMs === null ? '' : `&sinceMs=${sinceMs}`;
    return this.#stream({ method: 'GET', path: `/events?follow=${follow}${since}`, signal });
  }

  watch<L extends ListName>(list: L, signal?: AbortSignal): AsyncIterable<readonly ViewOfKind[L][]> {
    return this.#stream({ method: 'GET', path: `/watch/${list}`, signal });
  }

  async #session(path: string, request: ExecRequest | AttachRequest | JobRequest): Promise<AttachedSession> {
    const { socket, head } = await upgrade(this.#socketPath, path, openFrame(request));
    return openSession(socket, head);
  }

  #get<T>(path: string): Promise<T> {
    return exchangeJson(this.#socketPath, { method: 'GET', path });
  }

  #post<T>(path: string, body: unknown): Promise<T> {
    return exchangeJson(this.#socketPath, { method: 'POST', path, body });
  }

  async *#stream<T>(call: Call): AsyncGenerator<T, void, undefined> {
    yield* readNdjson<T>(await exchange(this.#socketPath, call));
  }
}

function containerPath(name: string, verb: string): string {
  return `/containers/${encodeURIComponent(name)}/${verb}`;
}
