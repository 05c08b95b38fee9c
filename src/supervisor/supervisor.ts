/** The running supervisor as the API's facade: queries, and requests that become desired state. */
import { cpus, release, totalmem } from 'node:os';
import type { EventOptions, EventView, HistoryView, WhyView } from '../api/explain-views.ts';
import type {
  ApplyEvent,
  ApplyOptions,
  ApprovalView,
  ApprovedView,
  DescribeView,
  DiffView,
  DoctorCheck,
  ExecRequest,
  HostShutdownView,
  InfoView,
  ListName,
  LogEntry,
  LogOptions,
  ManifestInput,
  PlanView,
  RemoveRequest,
  ResetOptions,
  ResetView,
  RollbackOptions,
  StartedView,
  StartOptions,
  SupervisorApi,
  ViewOfKind,
} from '../api/supervisor.ts';
import type { AttachedSession, StdioSession } from '../drivers/contract/exec.ts';
import type { Registry } from '../images/registry/registries.ts';
import { TsdError } from '../model/errors/errors.ts';
import { declarationNotes } from '../model/notes/declaration-notes.ts';
import { type Kind, parseKey, type ResourceKey } from '../model/resource.ts';
import { observe, type Reading } from '../reconcile/observe.ts';
import type { World } from '../reconcile/ops/world.ts';
import type { ContainerRecord } from '../state/containers/container-record.ts';
import type { Reserve } from '../state/files/reserve.ts';
import type { History } from '../state/history/history.ts';
import { isUnknown } from '../state/restore.ts';
import { volumeKey } from '../state/volumes/volume-record.ts';
import { abilityWarnings, hostAbilities } from './doctor/host-abilities.ts';
import type { SupervisorEventBus } from './events.ts';
import { Builds } from './images/builds.ts';
import { ImageFiles } from './images/image-files.ts';
import type { ImageJobs } from './images/image-jobs.ts';
import { RegistryCommands } from './images/registry-commands.ts';
import { containerLogs } from './logs/container-logs.ts';
import type { LogTroubles } from './logs/forwarding/log-troubles.ts';
import type { LoopStatus } from './loop-status.ts';
import { asker } from './requests/actors.ts';
import { apply, rollback } from './requests/apply.ts';
import { Approvals } from './requests/approvals.ts';
import { ContainerCommands } from './requests/container-commands.ts';
import type { Pauses } from './requests/pauses.ts';
import { remove } from './requests/remove.ts';
import { liveNotes } from './sources/file-notes.ts';
import type { KeptContents } from './sources/kept-contents.ts';
import type { Sources } from './sources/sources.ts';
import type { Timeline } from './timeline.ts';
import { eventViews, historyDiff, historyViews, watchList, why, wordsOfFailedUpdate } from './views/explain.ts';
import { postponed } from './views/hints.ts';
import { membersOf, type Nameable, resolveName, resolvePast } from './views/names.ts';
import { diffStates, planOfApps, planView } from './views/plan-views.ts';
import { Planner } from './views/planner.ts';
import { Unread } from './views/unread.ts';
import type { LoopState, ViewInput } from './views/view-input.ts';
import { containerViewOf, containerViews, imageViews, networkViews, volumeViews } from './views/views.ts';

export interface SupervisorParts {
  readonly world: World;
  readonly history: History;
  readonly reserve: Reserve;
  /** Runs what is asked of images. */
  readonly jobs: ImageJobs;
  readonly registry: Registry;
  readonly sources: Sources;
  readonly kept: KeptContents;
  readonly loop: LoopState & Pick<LoopStatus, 'enqueue' | 'isWorkingOn'>;
  readonly timeline: Timeline;
  readonly events: SupervisorEventBus;
  readonly pauses: Pauses;
  readonly logTroubles: LogTroubles;
  readonly seed: string;
  readonly facts: Pick<InfoView, 'id' | 'version' | 'manifests' | 'socket' | 'defaultBridge' | 'labels' | 'warnings'>;
  readonly doctor: () => Promise<readonly DoctorCheck[]>;
  /** Ends the loop and stops all containers; resolves with how many ran. */
  readonly stopEverything: () => Promise<HostShutdownView>;
  readonly reset: (options: ResetOptions) => Promise<ResetView>;
}

const LATEST_OPS = 20;
/** Number of recent entries of a resource that are searched for its current wait. */
const RECENT_ENTRIES = 10;
const WAIT_RECHECK_MS = 500;

export class Supervisor implements SupervisorApi {
  readonly #parts: SupervisorParts;
  readonly builds: Builds;
  readonly imageFiles: ImageFiles;
  readonly registry: RegistryCommands;
  readonly #commands: ContainerCommands;
  readonly #planner: Planner;
  readonly #approvals: Approvals;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    this.#approvals = new Approvals(parts);
    this.#planner = new Planner(parts.world, parts.seed);
    this.#commands = new ContainerCommands(parts);
    this.builds = new Builds(parts);
    this.imageFiles = new ImageFiles({ ...parts, container: (name) => this.#reachable(name) });
    this.registry = new RegistryCommands({ ...parts, enqueue: (keys) => parts.loop.enqueue(keys) });
  }

  info(): InfoView {
    const { world, sources, facts, loop } = this.#parts;
    const containers = world.containers.all();
    const ended = loop.ended();
    const abilities = hostAbilities(world.exec);
    return {
      ...facts,
      ...abilities,
      warnings: [
        ...facts.warnings,
        ...abilityWarnings(abilities),
        ...(ended === null ? [] : [`nothing is carried out any more: ${ended}`]),
      ],
      instance: world.instance.id,
      root: world.instance.root,
      runDir: world.instance.runDir,
      graphDriver: world.graph.name,
      execDriver: world.exec.name,
      networkDriver: world.network.name,
      generation: sources.generation,
      containers: containers.length,
      running: containers.filter(({ id }) => world.exec.running(id) !== null).length,
      images: world.images.all().length,
      kernel: release(),
      cpus: cpus().length,
      memoryBytes: totalmem(),
    };
  }

  list<L extends ListName>(list: L): readonly ViewOfKind[L][] {
    const views: { readonly [K in ListName]: () => readonly ViewOfKind[K][] } = {
      containers: () => containerViews(this.#viewInput(new Unread())),
      images: () => imageViews(this.#viewInput(new Unread())),
      volumes: () => volumeViews(this.#viewInput(new Unread())),
      networks: () => networkViews(this.#viewInput(new Unread())),
      manifests: () => this.#parts.sources.views(),
    };
    return views[list]();
  }

  describe(kind: Kind, name: string): DescribeView {
    const { history, sources, world } = this.#parts;
    const key = resolveName(kind, name, this.#nameables());
    const { app, name: short } = parseKey(key);
    const lists = { image: 'images', volume: 'volumes', network: 'networks' } as const;
    const view =
      kind === 'container'
        ? containerViewOf(this.#viewInput(new Unread()), key)
        : this.list(lists[kind]).find((candidate) => candidate.app === app && candidate.name === short);
    if (!view) throw new TsdError('TSD_NO_SUCH_RESOURCE', `there is no ${kind} ${name}`);
    const declared = sources.state.resources.get(key);
    const record = world.containers.byKey(key);
    return {
      kind,
      name: short,
      app,
      view,
      hint: view.hint,
      spec: declared?.spec ?? record?.owner?.written ?? null,
      specHash: declared?.specHash ?? record?.owner?.specHash ?? '',
      generation: sources.generation,
      ops: [...history.journal.ofKey(key, LATEST_OPS)].reverse().map(({ startedAtMs, op, cause, status, error }) => ({
        at: new Date(startedAtMs).toISOString(),
        op,
        cause,
        status,
        message: error?.message ?? '',
      })),
    };
  }

  apply(inputs: readonly ManifestInput[], options: ApplyOptions, signal?: AbortSignal): AsyncIterable<ApplyEvent> {
    return apply(this.#applyParts(), inputs, options, signal);
  }

  async plan(inputs: readonly ManifestInput[]): Promise<PlanView> {
    const { sources } = this.#parts;
    if (inputs.length === 0) {
      await sources.look();
      const beside = {
        approvals: this.#approvals.pending(),
        manifests: sources.views(),
        notes: declarationNotes(sources.state.resources),
        fileNotes: sources.fileNotes(),
      };
      return planView(this.#planner.everything(sources), beside);
    }
    await sources.look(inputs);
    const resolution = sources.preview(inputs);
    const issues = sources.inputIssues(inputs, resolution);
    const whole = this.#planner.everything(resolution);
    const apps = sources.inputApps(inputs, resolution);
    const notes = declarationNotes(resolution.state.resources).filter(({ key }) => apps.has(parseKey(key).app));
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
    return rollback(this.#applyParts(), generation, options, signal);
  }

  history(limit: number): readonly HistoryView[] {
    return historyViews(this.#parts.history, limit);
  }

  historyDiff(generation: number): readonly DiffView[] {
    return historyDiff(this.#parts.sources, generation);
  }

  why(kind: Kind, name: string): WhyView {
    const key = resolvePast(kind, name, this.#nameables());
    const { world } = this.#parts;
    const isUp = (of: ResourceKey) => (world.containers.byKey(of)?.network ?? null) !== null;
    const parts = { ...this.#parts, isUp, nowMs: world.clock.now().wallMs };
    return why(parts, key, this.describe(kind, key).view, name);
  }

  timeline(options: EventOptions, signal?: AbortSignal): AsyncIterable<EventView> {
    return eventViews(this.#parts, options, signal);
  }

  watch<L extends ListName>(list: L, signal?: AbortSignal): AsyncIterable<readonly ViewOfKind[L][]> {
    return watchList(() => this.list(list), this.#parts.events, signal);
  }

  remove(request: RemoveRequest, signal?: AbortSignal): AsyncIterable<ApplyEvent> {
    return remove(this.#applyParts(), request, this.#nameables(), signal);
  }

  approvals(): readonly ApprovalView[] {
    return this.#approvals.pending();
  }

  async approve(names: readonly string[], askedBy: number | null = null): Promise<ApprovedView> {
    const approved = this.#approvals.approve(names, asker(askedBy));
    const ended = this.#parts.loop.ended();
    return { names: approved, postponed: ended === null || approved.length === 0 ? null : postponed(ended).toJSON() };
  }

  async stop(name: string, timeoutMs: number | null, forMs: number | null): Promise<void> {
    await this.#commands.stop(this.#reachable(name), timeoutMs, forMs);
  }

  async start(name: string, options: StartOptions = {}, signal?: AbortSignal): Promise<StartedView> {
    return await this.#commands.start(this.#reachable(name), options, signal);
  }

  async restart(
    name: string,
    timeoutMs: number | null,
    options: StartOptions = {},
    signal?: AbortSignal,
  ): Promise<StartedView> {
    return await this.#commands.restart(this.#reachable(name), timeoutMs, options, signal);
  }

  members(app: string): readonly string[] {
    return membersOf(app, this.#nameables());
  }

  async kill(name: string, signal: string): Promise<void> {
    await this.#commands.kill(this.#reachable(name), signal);
  }

  async wait(name: string, signal?: AbortSignal): Promise<number> {
    const key = resolveName('container', name, this.#nameables());
    for (;;) {
      const record = this.#parts.world.containers.byKey(key);
      if (record) return await this.#commands.wait(record, signal);
      if (signal?.aborted)
        throw new TsdError('TSD_CONTAINER_NOT_RUNNING', `container ${name} does not exist yet`, { key });
      await this.#parts.events.nextChange(WAIT_RECHECK_MS, signal);
    }
  }

  logs(name: string, options: LogOptions, signal: AbortSignal = new AbortController().signal): AsyncIterable<LogEntry> {
    return containerLogs(this.#parts, this.#container(name), options, signal);
  }

  async exec(name: string, request: ExecRequest): Promise<StdioSession> {
    const record = this.#running(name);
    const { User, WorkingDir } = record.config;
    return await this.#parts.world.exec.exec(record.id, {
      ...request,
      user: request.user === '' ? User : request.user,
      cwd: request.cwd ?? (WorkingDir === '' ? null : WorkingDir),
      privileged: false,
    });
  }

  async attach(name: string): Promise<AttachedSession> {
    return await this.#parts.world.exec.attach(this.#running(name).id);
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

  #applyParts() {
    return {
      ...this.#parts,
      planner: this.#planner,
      wordsOfFailedUpdate: (key: ResourceKey) => wordsOfFailedUpdate(this.#parts.history, key),
      viewInput: () => this.#viewInput(),
    };
  }

  /** @param unread for who only looks, also while the disk fails; without it a failure is thrown */
  #viewInput(unread: Unread | null = null): ViewInput {
    const { world, sources, loop, history, logTroubles } = this.#parts;
    const reading: Reading = unread?.reading ?? ((read) => read());
    const holds = (key: ResourceKey) =>
      history.timeline.ofKey(key, RECENT_ENTRIES).filter(({ kind }) => kind === 'hold');
    const past = {
      heldSince: (key: ResourceKey) => reading(() => holds(key)[0]?.atMs ?? null, null),
      opSince: (key: ResourceKey) => reading(() => history.journal.ofKey(key, 1)[0]?.startedAtMs ?? null, null),
    };
    const observed = observe(world, new Set(), reading);
    return {
      world,
      desired: sources.state,
      observed,
      loop,
      past,
      logTroubles,
      reading,
      unread: unread ?? new Unread(),
    };
  }

  #nameables(): Nameable[] {
    const { sources, world } = this.#parts;
    const declared = [...sources.state.resources.values()].map(({ key, engineName }) => ({ key, engineName }));
    const containers = world.containers
      .all()
      .flatMap(({ owner, engineName, id }) => (owner ? [{ key: owner.key, engineName, id }] : []));
    const volumes = world.volumes.all().flatMap((volume) => {
      const key = volumeKey(volume);
      return key === null ? [] : [{ key, id: volume.id }];
    });
    const images = world.resources.images().map(({ key, imageId }) => ({ key, id: imageId }));
    return [...declared, ...containers, ...volumes, ...images];
  }

  /** A container of whose run it is known whether it goes on. @throws TSD_SHIM with the reason why not. */
  #reachable(name: string): ContainerRecord {
    const record = this.#container(name);
    const { unanswered, exec } = this.#parts.world;
    const reason = isUnknown(record) ? unanswered.get(record.id) : exec.unrecorded(record.id);
    if (reason === undefined || reason === null) return record;
    throw new TsdError('TSD_SHIM', `container ${record.engineName} cannot be reached: ${reason}`, {
      key: record.owner?.key,
      hint: 'Nothing was changed.',
    });
  }

  #running(name: string): ContainerRecord {
    const record = this.#reachable(name);
    if (this.#parts.world.exec.running(record.id) !== null) return record;
    throw new TsdError('TSD_CONTAINER_NOT_RUNNING', `container ${record.engineName} is not running`, {
      key: record.owner?.key,
    });
  }

  #container(name: string): ContainerRecord {
    const { world } = this.#parts;
    const key = resolveName('container', name, this.#nameables());
    const record = world.containers.byKey(key);
    if (record) return record;
    const reason = this.#parts.loop.hold(key)?.message ?? 'it is being created';
    throw new TsdError('TSD_CONTAINER_NOT_RUNNING', `container ${name} does not exist yet: ${reason}`, { key });
  }
}
