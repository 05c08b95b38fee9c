/** One script carried out on a fresh host: chaos, then rest, then everything has to be right. */
import type { DesiredState } from '../../src/model/desired.ts';
import { TsdError, toTsdError } from '../../src/model/errors/errors.ts';
import { parseKey, type ResourceKey } from '../../src/model/resource.ts';
import type { FailedUpdate } from '../../src/reconcile/ops/containers/update-outcome.ts';
import { lastGenerationWith } from '../../src/supervisor/sources/last-good.ts';
import type { App } from '../support/declare.ts';
import { declaredOnDisk, imperativeKey } from './clients.ts';
import { Disk } from './disk.ts';
import { Kernel, type Payload } from './kernel.ts';
import { type Asked, Ledger } from './ledger.ts';
import { resolveApps } from './manifests.ts';
import { convergenceViolations, restViolations } from './rest.ts';
import { type Action, PATHS, type Script } from './script.ts';
import { SimSupervisor, type Surroundings } from './supervisor.ts';
import { Broken, INJECTED, Killed, survive, Universe } from './universe.ts';
import { Watch } from './watch.ts';

export interface Outcome {
  /** The invariant that broke, or null. */
  readonly broken: string | null;
  readonly ops: number;
  readonly steps: number;
  readonly log: readonly string[];
  /** Containers of clients at the end: `NAME runs` or `NAME rests`. */
  readonly left: readonly string[];
}

/** Longer than the longest delay of a retry (denied: 10 min) with its jitter. */
const REST_MS = 15 * 60_000;
/** After the last obstacle is gone. */
const SETTLE_MS = 5 * 60_000;
/** Longer than the loop waits before it looks at what it did, and what that takes. */
const LOOK_MS = 500;

class Episode {
  readonly universe: Universe;
  readonly disk = new Disk();
  readonly kernel: Kernel;
  readonly watch: Watch;
  readonly ledger: Ledger;
  readonly log: string[] = [];
  readonly #sources = new Map(PATHS.map((path) => [path, 0]));
  readonly #around: Surroundings;
  #apps: Readonly<Record<string, App>> = {};
  #desired: DesiredState = { generation: 1, resources: new Map() };
  readonly #past: { readonly apps: Readonly<Record<string, App>>; readonly desired: DesiredState }[] = [];
  #supervisor: SimSupervisor | null = null;
  #lost = 0;
  /** How long the supervisor stays away after its next crash. */
  #downMs = 0;

  constructor(seed: string) {
    this.universe = new Universe(seed);
    this.kernel = new Kernel(this.universe, this.disk);
    const { universe, disk, kernel } = this;
    this.watch = new Watch(universe, disk, kernel, () => this.#declared());
    this.ledger = new Ledger(universe, disk, (text) => this.#note(text));
    const onStart = kernel.onStart;
    kernel.onStart = (payload) => {
      onStart(payload);
      this.ledger.started(payload.containerId);
    };
    this.#around = {
      universe,
      disk,
      kernel,
      sources: this.#sources,
      ledger: this.ledger,
      desired: () => this.#desired,
      rollBack: (failed) => this.#rollBack(failed),
      loses: () => this.#lost-- > 0,
      probed: (...tried) => this.watch.probed(...tried),
      planned: (made) => this.watch.planned(made),
      looked: (report) => this.watch.looked(report),
      stopped: (key, specHash) => this.watch.stopped(key, specHash),
      startedByPerson: (key) => this.watch.startedByPerson(key),
      began: (op) => {
        this.#note(`begin ${op.id}${'asMade' in op ? ' as made' : ''}: ${op.cause.message}`);
        this.watch.began(op);
      },
      ended: (result) => {
        const why = result.error ? `: ${result.error.message} [${result.error.class}]` : (result.skipped ?? '');
        this.#note(`${result.status} ${result.op.id}${why}`);
        this.watch.ended(result);
      },
      defect: (text) => universe.breaks(`defect: ${text}`),
    };
  }

  /** By manifests and by clients. */
  #declared(): DesiredState {
    return this.#supervisor?.desired() ?? declaredOnDisk(this.disk).with(this.#desired);
  }

  #note(text: string): void {
    this.log.push(`${this.universe.elapsedMs.toFixed(1).padStart(10)}  ${text}`);
  }

  async run(actions: readonly Action[]): Promise<void> {
    this.#startSupervisor();
    for (const action of actions) {
      await this.universe.advance(action.afterMs);
      this.watch.happened();
      this.#note(`** ${JSON.stringify(action).slice(0, 400)}`);
      survive(() => this.#attempt(action));
      this.#checkVolumes();
      this.ledger.check();
    }
    await this.universe.advance(3_000);
    await this.#rest();
  }

  #startSupervisor(): void {
    const supervisor = this.#newSupervisor();
    if (!supervisor) return;
    this.#note('supervisor starts');
    this.#supervisor = supervisor;
    const onEnd = this.kernel.onEnd;
    this.kernel.onEnd = (payload) => {
      this.#payloadEnded(payload);
      onEnd(payload);
    };
    this.watch.believesRunning = (id) => supervisor.parts.exec.running(id) !== null;
    supervisor.parts.exec.onExit(({ containerId }) => this.watch.toldEnd(containerId));
    supervisor.life.onDeath = () => this.#supervisorDied(supervisor);
    void supervisor.start().catch((error) => this.#notStarted(supervisor, toTsdError(error)));
  }

  /** Null when it was killed, or could not continue, before it was put together. */
  #newSupervisor(): SimSupervisor | null {
    try {
      return new SimSupervisor(this.#around);
    } catch (thrown) {
      const injected = thrown instanceof TsdError && thrown.step?.startsWith(INJECTED) === true;
      if (!injected && !(thrown instanceof Killed)) throw thrown;
      this.#note('supervisor ends at once');
      this.universe.at(100, () => this.#supervisor ?? this.#startSupervisor());
      return null;
    }
  }

  /** A supervisor that cannot start ends, and the service manager starts another one. */
  #notStarted(supervisor: SimSupervisor, error: TsdError): void {
    if (!error.step?.startsWith(INJECTED)) this.universe.breaks(`the start failed: ${error.stack}`);
    this.#downMs = 100;
    supervisor.life.die();
  }

  #payloadEnded(payload: Payload): void {
    const record = this.disk.exits.get(`${payload.containerId} ${payload.run}`);
    this.#note(`run ${payload.run} of ${payload.containerId.slice(0, 8)} ends with ${record?.exitCode}`);
    this.watch.payloadEnded(payload, record?.exitCode);
  }

  #supervisorDied(supervisor: SimSupervisor): void {
    this.#note('supervisor is gone');
    if (this.#supervisor === supervisor) this.#supervisor = null;
    this.kernel.held = new Set();
    this.kernel.onEnd = (payload) => this.#payloadEnded(payload);
    this.kernel.collect();
    this.watch.supervisorGone();
    this.universe.at(this.#downMs, () => this.#supervisor ?? this.#startSupervisor());
  }

  /** A command that meets a fault reports it, and has changed nothing. */
  #attempt(action: Action): void {
    try {
      this.#perform(action);
    } catch (thrown) {
      if (!(thrown instanceof TsdError) || !thrown.step?.startsWith(INJECTED)) throw thrown;
      this.#note(`refused: ${thrown.message}`);
    }
  }

  #perform(action: Action): void {
    const { universe, kernel } = this;
    switch (action.do) {
      case 'edit':
        this.#edit(action.app, action.declared);
        return;
      case 'crash':
        universe.crashIn = action.steps;
        this.#downMs = action.downMs;
        return;
      case 'restart-supervisor':
        this.#downMs = action.downMs;
        void this.#supervisor?.stop();
        return;
      case 'reboot':
        this.#reboot(action.downMs);
        return;
      case 'fail':
        universe.faults.push({ what: action.what, class: action.class, ms: 0, left: action.times });
        return;
      case 'slow':
        universe.faults.push({ what: action.what, class: null, ms: action.ms, left: action.times });
        return;
      case 'jump':
        universe.jumpWall(action.ms);
        // An end of before that is told after it is known only to lie between the run's start and the present.
        this.watch.excuse(() => true);
        return;
      case 'lose-events':
        this.#lost = action.times;
        return;
      case 'foreign-port':
        if (action.open) kernel.foreign.add(action.port);
        else kernel.foreign.delete(action.port);
        return;
      case 'source':
        if (action.version === null) this.#sources.delete(action.path);
        else this.#sources.set(action.path, action.version);
        return;
      case 'wait':
        return;
      case 'client-create':
      case 'client-remove':
      case 'client-rename':
        this.#ask(action);
        return;
      default:
        this.#touch(action);
    }
  }

  /** Under a name that comes back, a stop of before says nothing. */
  #ask(asked: Asked): void {
    for (const name of 'to' in asked ? [asked.name, asked.to] : [asked.name])
      this.watch.startedByPerson(imperativeKey(name));
    if (this.#supervisor?.ready) this.#supervisor.clients.ask(asked);
  }

  #touch(action: Extract<Action, { key: ResourceKey }>): void {
    const payload = [...this.kernel.payloads.values()].find(({ containerId }) => {
      return this.disk.containers.get(containerId)?.owner?.key === action.key;
    });
    const alive = this.#supervisor?.ready ? this.#supervisor : null;
    switch (action.do) {
      case 'exit':
        if (payload) this.kernel.end(payload, action.code, { oom: action.oom });
        return;
      case 'health':
        if (payload && action.well) this.kernel.sick.delete(payload.pid);
        else if (payload) this.kernel.sick.add(payload.pid);
        return;
      case 'kill-shim':
        if (payload) this.kernel.end(payload, 137, { recorded: false });
        return;
      case 'drift':
        this.#drift(action.what, payload?.containerId);
        return;
      case 'stop':
      case 'start':
        this.watch.excuse((key) => key === action.key);
        if (action.do === 'stop') alive?.stopContainer(action.key);
        else alive?.startContainer(action.key);
        return;
      case 'approve':
        this.#approve(action.key);
        return;
      case 'poke':
        alive?.controller.enqueue([action.key]);
    }
  }

  /** As the supervisor's own approve: only what waits for it can be approved. */
  #approve(key: ResourceKey): void {
    const waits = [...this.disk.volumes.values()].some(({ owner, onRemove }) => {
      return owner.type === 'named' && owner.key === key && onRemove === 'delete' && !this.#desired.resources.has(key);
    });
    if (!waits || !this.#supervisor?.ready) return;
    this.disk.history.approvals.grant(key, 0);
    this.watch.approved.add(key);
    this.#supervisor.controller.enqueue([key]);
  }

  /** Someone who is not us changes the kernel. */
  #drift(what: 'veth' | 'bridge' | 'rules' | 'ports', containerId: string | undefined): void {
    const { kernel } = this;
    if (what === 'rules') {
      kernel.rules = false;
      kernel.ports.clear();
    }
    if (containerId === undefined) return;
    const endpoints = kernel.endpointsOf(containerId);
    const last = endpoints.at(-1) ?? '';
    const bridge = kernel.veths.get(last)?.bridge;
    if (what === 'veth') kernel.veths.delete(last);
    if (what === 'ports') for (const endpoint of endpoints) kernel.ports.delete(endpoint);
    if (what === 'bridge' && bridge !== undefined) kernel.bridges.delete(bridge);
  }

  #edit(app: string, declared: App | null, byPerson = true): void {
    const { [app]: _old, ...others } = this.#apps;
    const apps = declared === null ? others : { ...others, [app]: declared };
    const next = resolveApps(apps, this.#desired.generation + 1);
    if (!next) {
      this.#note('not valid, nothing changes');
      return;
    }
    const before = this.#desired;
    this.#past.push({ apps: this.#apps, desired: before });
    const heldBack = new Map(before.heldBack);
    heldBack.delete(app);
    this.#apps = apps;
    this.#desired = { ...next, heldBack };
    // As a generation is saved.
    this.disk.history.approvals.withdrawDeclared(next.resources);
    this.#checkVolumes();
    this.watch.declared(next.resources, byPerson);
    this.watch.excuse((key) => before.resources.get(key)?.specHash !== next.resources.get(key)?.specHash);
    const keys = new Set([...next.resources.keys(), ...before.resources.keys()]);
    if (this.#supervisor?.ready) this.#supervisor.controller.enqueue(keys);
  }

  /** A person changes what did not do. */
  #editFailed(key: ResourceKey): void {
    const { app, name } = parseKey(key);
    const before = this.#apps[app];
    const container = before?.containers?.[name];
    if (!container) return;
    const env = { ...(container.env as object), FIXED: String(this.#desired.generation) };
    this.#edit(app, { ...before, containers: { ...before.containers, [name]: { ...container, env } } });
  }

  /** As the sources do it: the app is what it was, and held there until it is edited. */
  #rollBack({ key, from, reason }: FailedUpdate): number | null {
    const { app } = parseKey(key);
    const stateOf = (n: number) => this.#past.find(({ desired }) => desired.generation === n) ?? null;
    const n = lastGenerationWith(key, from, this.#desired, {
      stateOf: (past) => stateOf(past)?.desired ?? null,
      changedIn: () => null,
    });
    const declared = n === null ? undefined : stateOf(n)?.apps[app];
    if (!declared) return null;
    const before = this.#desired;
    this.#edit(app, declared, false);
    if (this.#desired === before) return null;
    this.#note(`${app} goes back: ${reason}`);
    this.#desired = { ...this.#desired, heldBack: new Map(this.#desired.heldBack).set(app, { reason, failed: true }) };
    return this.#desired.generation;
  }

  #reboot(downMs: number): void {
    this.#downMs = downMs;
    this.#supervisor?.life.die();
    this.universe.reboot();
    this.kernel.reboot();
    this.watch.excuse(() => true);
  }

  readonly #knownVolumes = new Map<string, ResourceKey>();

  /** Data never goes by itself. */
  #checkVolumes(): void {
    for (const [id, key] of this.#knownVolumes) {
      if (this.disk.volumeData.has(id)) continue;
      this.#knownVolumes.delete(id);
      this.watch.volumeGone(id, key);
    }
    for (const { id, owner } of this.disk.volumes.values()) {
      if (owner.type === 'named') this.#knownVolumes.set(id, owner.key);
      if (owner.type === 'anonymous') this.#knownVolumes.set(id, owner.containerKey);
    }
  }

  /** Faults stop; then whatever waits for a person is helped; then all has to be as desired. */
  async #rest(): Promise<void> {
    const { universe } = this;
    universe.calm = true;
    universe.crashIn = null;
    universe.faults = [];
    this.#lost = 0;
    this.#note('== faults stop');
    await universe.advance(REST_MS);
    this.#checkVolumes();
    await this.#expect(restViolations);
    this.kernel.foreign.clear();
    for (const path of PATHS) {
      if (!this.#sources.has(path)) this.#sources.set(path, 0);
    }
    // As a changed spec or `tsdocker start` does it for what failed for good.
    const { parts, controller } = this.#present();
    for (const [key] of parts.failures.all()) parts.failures.clear(key);
    for (const [key, { failure }] of parts.updates.all()) if (failure !== null) this.#editFailed(key);
    controller.resync();
    this.#note('== nothing stands in the way');
    await universe.advance(SETTLE_MS);
    this.#checkVolumes();
    await this.#expect(convergenceViolations);
  }

  #present(): SimSupervisor {
    if (this.#supervisor?.ready) return this.#supervisor;
    throw new Broken('no supervisor runs although nothing kills it');
  }

  #violations(violations: typeof restViolations): string[] {
    const { disk, kernel } = this;
    const supervisor = this.#present();
    const found = violations({ supervisor, disk, kernel, desired: supervisor.desired() });
    // A stop that failed for good says so, and waits for a person.
    const waits = (key: ResourceKey) =>
      ['failed', 'needs-approval'].includes(supervisor.controller.hold(key)?.reason ?? '');
    for (const key of this.watch.runsAlthoughStopped()) {
      if (violations === convergenceViolations || !waits(key)) found.push(`${key} runs although it was stopped`);
    }
    return found;
  }

  /** Something may have been tried again just now, and the look that says what came of it is due. */
  async #expect(violations: typeof restViolations): Promise<void> {
    if (this.#violations(violations).length > 0) await this.universe.advance(LOOK_MS);
    const found = this.#violations(violations);
    if (found.length > 0) throw new Broken(found.join('\n  '));
  }

  left(): string[] {
    const records = [...this.disk.containers.values()].filter(({ owner }) => owner?.request !== undefined);
    return records
      .map(({ id, engineName }) => `${engineName} ${this.kernel.payloads.has(id) ? 'runs' : 'rests'}`)
      .sort();
  }

  /** What no one catches ends a real supervisor. */
  unhandled(reason: unknown): void {
    if (reason instanceof Killed) return;
    this.universe.breaks(`unhandled: ${reason instanceof Error ? reason.stack : String(reason)}`);
  }

  /** Timers of Node, as operations use them, go by the simulated clock. */
  timers(): Pick<typeof globalThis, 'setTimeout' | 'clearTimeout' | 'setImmediate'> {
    const after = (ms: number, task: () => void) => this.#supervisor?.life.after(ms, task) ?? (() => {});
    return {
      setTimeout: ((task: () => void, ms = 0) => after(ms, task)) as unknown as typeof setTimeout,
      clearTimeout: ((cancel?: () => void) => cancel?.()) as unknown as typeof clearTimeout,
      setImmediate: ((task: () => void) => after(0, task)) as unknown as typeof setImmediate,
    };
  }
}

/** Carries a script out; the same script always ends the same. */
export async function runEpisode({ seed, actions }: Script): Promise<Outcome> {
  const episode = new Episode(seed);
  const { setTimeout, clearTimeout, setImmediate } = globalThis;
  Object.assign(globalThis, episode.timers());
  const listeners = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', (reason) => episode.unhandled(reason));
  let broken: string | null = null;
  try {
    await episode.run(actions);
  } catch (thrown) {
    if (!(thrown instanceof Broken)) throw thrown;
    broken = thrown.message;
  } finally {
    Object.assign(globalThis, { setTimeout, clearTimeout, setImmediate });
    process.removeAllListeners('unhandledRejection');
    for (const listener of listeners) process.on('unhandledRejection', listener);
    episode.disk.close();
  }
  return { broken, ops: episode.watch.ops, steps: episode.universe.steps, log: episode.log, left: episode.left() };
}
