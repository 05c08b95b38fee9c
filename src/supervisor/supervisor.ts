/** The running supervisor as the API's facade: queries, and requests that become desired state. */

import { cpus, release, totalmem } from 'node:os';
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
} from '../api/requests.ts';
import type { SupervisorApi } from '../api/supervisor.ts';
import type { EventOptions, EventView, HistoryView, WhyView } from '../api/views/explain-views.ts';
import type { DoctorCheck, InfoView } from '../api/views/host-views.ts';
import type { ApprovalView, ApprovedView, DiffView, PlanView } from '../api/views/plan-views.ts';
import type { DescribeView, ListName, ViewOfKind } from '../api/views/resource-views.ts';
import type { AttachedSession, ExecDriver, StdioSession } from '../drivers/contract/exec.ts';
import type { Sysinfo } from '../ffi/host/sysinfo.ts';
import type { Clock } from '../model/clock.ts';
import type { DesiredState } from '../model/desired.ts';
import { TsdError } from '../model/errors/errors.ts';
import { declarationNotes } from '../model/notes/declaration-notes.ts';
import type { DeclarationNote } from '../model/notes/update-notes.ts';
import { type Kind, parseKey, type ResourceKey } from '../model/resource.ts';
import { requireFeature } from '../reconcile/exec-features.ts';
import { type LimitSupport, limitNotes } from '../reconcile/kernel-limits.ts';
import type { NewNetworks } from '../reconcile/ops/networks/network.ts';
import type { ContainerRecord } from '../state/containers/container-record.ts';
import type { ContainerStore } from '../state/containers/containers.ts';
import type { History } from '../state/history/history.ts';
import type { GraphIndex } from '../state/images/graph-index.ts';
import { abilityWarnings, hostAbilities, newNetworksView } from './doctor/host-abilities.ts';
import type { SupervisorEventBus } from './events.ts';
import type { Builds } from './images/builds.ts';
import type { ImageFiles } from './images/image-files.ts';
import type { RegistryCommands } from './images/registry-commands.ts';
import { type ContainerLogParts, containerLogs } from './logs/container-logs.ts';
import { asker } from './requests/actors.ts';
import { type ApplyParts, apply, rollback } from './requests/apply.ts';
import type { Approvals } from './requests/approvals.ts';
import type { ComingContainers } from './requests/coming-containers.ts';
import type { NamedResources } from './requests/named-resources.ts';
import { remove } from './requests/remove.ts';
import { type KillPorts, killContainer, type WaitForEndPorts, waitForEnd } from './requests/signal-commands.ts';
import type { StartCommands } from './requests/start-commands.ts';
import { type StopPorts, stopContainer } from './requests/stop-command.ts';
import { resolverInfo } from './resolver/resolver-info.ts';
import type { ResolverView } from './resolver/resolver-service.ts';
import { liveNotes } from './sources/file-notes.ts';
import type { Sources } from './sources/sources.ts';
import type { CurrentViews } from './views/current-views.ts';
import { eventViews, historyDiff, historyViews, watchList, why } from './views/explain.ts';
import { postponed } from './views/hints.ts';
import { membersOf, resolvePast } from './views/names.ts';
import { diffStates, planOfApps, planView } from './views/plan-views.ts';
import type { Planner } from './views/planner.ts';
import type { LoopState } from './views/view-input.ts';

/** What stays as it is while the supervisor runs. */
type Facts = Pick<
  InfoView,
  | 'id'
  | 'version'
  | 'manifests'
  | 'socket'
  | 'defaultBridge'
  | 'labels'
  | 'warnings'
  | 'instance'
  | 'root'
  | 'runDir'
  | 'graphDriver'
  | 'execDriver'
  | 'networkDriver'
>;

export interface SupervisorParts {
  readonly named: NamedResources;
  readonly coming: ComingContainers;
  readonly views: CurrentViews;
  readonly planner: Planner;
  readonly approvals: Approvals;
  readonly starts: StartCommands;
  readonly stops: StopPorts;
  readonly kills: KillPorts;
  readonly waits: WaitForEndPorts;
  readonly builds: Builds;
  readonly imageFiles: ImageFiles;
  readonly registry: RegistryCommands;
  /** What changes of the desired state take. */
  readonly changes: ApplyParts;
  readonly logs: ContainerLogParts;
  readonly containers: Pick<ContainerStore, 'all' | 'byKey'>;
  readonly images: Pick<GraphIndex, 'all'>;
  readonly exec: Pick<ExecDriver, 'name' | 'capabilities' | 'running' | 'exec' | 'attach'>;
  readonly clock: Clock;
  readonly history: History;
  readonly sources: Sources;
  readonly loop: LoopState;
  readonly events: SupervisorEventBus;
  readonly sysinfo: Sysinfo;
  readonly limits: LimitSupport;
  readonly facts: Facts;
  readonly resolver: () => ResolverView;
  readonly newNetworks: Pick<NewNetworks, 'families'>;
  readonly doctor: () => Promise<readonly DoctorCheck[]>;
  /** Ends the loop and stops all containers; resolves with how many ran. */
  readonly stopEverything: () => Promise<HostShutdownView>;
  readonly reset: (options: ResetOptions) => Promise<ResetView>;
}

const WAIT_RECHECK_MS = 500;

export class Supervisor implements SupervisorApi {
  readonly #parts: SupervisorParts;
  readonly builds: Builds;
  readonly imageFiles: ImageFiles;
  readonly registry: RegistryCommands;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    this.builds = parts.builds;
    this.imageFiles = parts.imageFiles;
    this.registry = parts.registry;
  }

  info(): InfoView {
    const { images, exec, sources, facts, loop, sysinfo, limits, newNetworks } = this.#parts;
    const containers = this.#parts.containers.all();
    const ended = loop.ended();
    return {
      ...facts,
      ...hostAbilities(sysinfo),
      newNetworks: newNetworksView(newNetworks),
      warnings: [
        ...facts.warnings,
        ...abilityWarnings(sysinfo, limits),
        ...(ended === null ? [] : [`nothing is carried out any more: ${ended}`]),
      ],
      generation: sources.generation,
      containers: containers.length,
      running: containers.filter(({ id }) => exec.running(id) !== null).length,
      images: images.all().length,
      resolver: resolverInfo(this.#parts.resolver()),
      kernel: release(),
      cpus: cpus().length,
      memoryBytes: totalmem(),
    };
  }

  list<L extends ListName>(list: L): readonly ViewOfKind[L][] {
    return this.#parts.views.list(list);
  }

  describe(kind: Kind, name: string): DescribeView {
    return this.#parts.views.describe(kind, name);
  }

  apply(inputs: readonly ManifestInput[], options: ApplyOptions, signal?: AbortSignal): AsyncIterable<ApplyEvent> {
    return apply(this.#parts.changes, inputs, options, signal);
  }

  async plan(inputs: readonly ManifestInput[]): Promise<PlanView> {
    const { sources } = this.#parts;
    if (inputs.length === 0) {
      await sources.look();
      const beside = {
        approvals: this.#parts.approvals.pending(),
        manifests: sources.views(),
        notes: this.#notes(sources.state),
        fileNotes: sources.fileNotes(),
      };
      return planView(this.#parts.planner.everything(sources), beside);
    }
    await sources.look(inputs);
    const resolution = sources.preview(inputs);
    const issues = sources.inputIssues(inputs, resolution);
    const whole = this.#parts.planner.everything(resolution);
    const apps = sources.inputApps(inputs, resolution);
    const notes = this.#notes(resolution.state).filter(({ key }) => apps.has(parseKey(key).app));
    const fileNotes = liveNotes(resolution.state, apps);
    return planView(planOfApps(whole, apps), { issues, notes, fileNotes });
  }

  async diff(inputs: readonly ManifestInput[]): Promise<readonly DiffView[]> {
    const { sources } = this.#parts;
    await sources.look(inputs);
    const resolution = sources.preview(inputs);
    const [issue] = sources.inputIssues(inputs, resolution);
    if (issue) throw new TsdError('TSD_MANIFEST_SCHEMA', issue.message, { source: issue, hint: issue.hint });
    return diffStates(sources.state, resolution.state);
  }

  rollback(generation: number, options: RollbackOptions, signal?: AbortSignal): AsyncIterable<ApplyEvent> {
    return rollback(this.#parts.changes, generation, options, signal);
  }

  history(limit: number): readonly HistoryView[] {
    return historyViews(this.#parts.history, limit);
  }

  historyDiff(generation: number): readonly DiffView[] {
    return historyDiff(this.#parts.sources, generation);
  }

  why(kind: Kind, name: string): WhyView {
    const key = resolvePast(kind, name, this.#parts.named.all());
    const { containers, clock } = this.#parts;
    const isUp = (of: ResourceKey) => (containers.byKey(of)?.network ?? null) !== null;
    const parts = { ...this.#parts, isUp, nowMs: clock.now().wallMs };
    return why(parts, key, this.describe(kind, key).view, name);
  }

  timeline(options: EventOptions, signal?: AbortSignal): AsyncIterable<EventView> {
    return eventViews(this.#parts, options, signal);
  }

  watch<L extends ListName>(list: L, signal?: AbortSignal): AsyncIterable<readonly ViewOfKind[L][]> {
    return watchList(() => this.list(list), this.#parts.events, signal);
  }

  remove(request: RemoveRequest, signal?: AbortSignal): AsyncIterable<ApplyEvent> {
    return remove(this.#parts.changes, request, this.#parts.named.all(), signal);
  }

  approvals(): readonly ApprovalView[] {
    return this.#parts.approvals.pending();
  }

  async approve(names: readonly string[], askedBy: number | null = null): Promise<ApprovedView> {
    const approved = this.#parts.approvals.approve(names, asker(askedBy));
    const ended = this.#parts.loop.ended();
    return { names: approved, postponed: ended === null || approved.length === 0 ? null : postponed(ended).toJSON() };
  }

  async stop(name: string, timeoutMs: number | null, forMs: number | null, signal?: AbortSignal): Promise<void> {
    await stopContainer(this.#parts.stops, await this.#parts.coming.made(name, signal), timeoutMs, forMs, signal);
  }

  async start(name: string, options: StartOptions = {}, signal?: AbortSignal): Promise<StartedView> {
    return await this.#parts.starts.start(await this.#madeToStart(name, options, signal), options, signal);
  }

  async restart(
    name: string,
    timeoutMs: number | null,
    options: StartOptions = {},
    signal?: AbortSignal,
  ): Promise<StartedView> {
    return await this.#parts.starts.restart(await this.#madeToStart(name, options, signal), timeoutMs, options, signal);
  }

  members(app: string): readonly string[] {
    return membersOf(app, this.#parts.named.all());
  }

  async kill(name: string, signal: string, cancelled?: AbortSignal): Promise<void> {
    await killContainer(this.#parts.kills, await this.#parts.coming.running(name, cancelled), signal);
  }

  async wait(name: string, signal?: AbortSignal): Promise<number> {
    const key = this.#parts.named.key('container', name);
    for (;;) {
      const record = this.#parts.containers.byKey(key);
      if (record) return await waitForEnd(this.#parts.waits, record, signal);
      if (signal?.aborted)
        throw new TsdError('TSD_CONTAINER_NOT_RUNNING', `container ${name} does not exist yet`, { key });
      await this.#parts.events.nextChange(WAIT_RECHECK_MS, signal);
    }
  }

  async *logs(
    name: string,
    options: LogOptions,
    signal: AbortSignal = new AbortController().signal,
  ): AsyncGenerator<LogEntry> {
    const record = await this.#parts.coming.made(name, signal);
    yield* containerLogs(this.#parts.logs, record, options, signal);
  }

  async exec(name: string, request: ExecRequest, signal?: AbortSignal): Promise<StdioSession> {
    requireFeature(this.#parts.exec, 'exec');
    const record = await this.#parts.coming.running(name, signal);
    const { User, WorkingDir } = record.config;
    return await this.#parts.exec.exec(record.id, {
      ...request,
      user: request.user === '' ? User : request.user,
      cwd: request.cwd ?? (WorkingDir === '' ? null : WorkingDir),
      privileged: false,
    });
  }

  async attach(name: string, signal?: AbortSignal): Promise<AttachedSession> {
    requireFeature(this.#parts.exec, 'attach');
    const { id } = await this.#parts.coming.running(name, signal);
    return await this.#parts.exec.attach(id);
  }

  load(path: string, signal?: AbortSignal): AsyncIterable<ApplyEvent> {
    return this.imageFiles.load(path, signal);
  }

  async doctor(): Promise<readonly DoctorCheck[]> {
    return await this.#parts.doctor();
  }

  async hostShutdown(): Promise<HostShutdownView> {
    return await this.#parts.stopEverything();
  }

  async reset(options: ResetOptions): Promise<ResetView> {
    return await this.#parts.reset(options);
  }

  #madeToStart(name: string, { waitMs }: StartOptions, signal?: AbortSignal): Promise<ContainerRecord> {
    return this.#parts.coming.made(name, signal, { waitMs, retry: true });
  }

  #notes({ resources }: DesiredState): DeclarationNote[] {
    return [...limitNotes(resources, this.#parts.limits), ...declarationNotes(resources)];
  }
}
