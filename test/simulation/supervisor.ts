/** One life of the supervisor, put together as src/composition/ does it: the real loop and operations on simulated drivers. */

import { adoptionPorts } from '../../src/composition/ports/adoption-ports.ts';
import { createObserver } from '../../src/composition/ports/observer.ts';
import { opPorts, type Parts } from '../../src/composition/ports/op-ports.ts';
import type { NetworkConfig } from '../../src/drivers/contract/network.ts';
import { Engine } from '../../src/engine/engine.ts';
import { TrustPolicyFile } from '../../src/images/trust/policy.ts';
import { DYNAMIC_PORTS } from '../../src/model/addresses.ts';
import { formatTime } from '../../src/model/clock.ts';
import type { DesiredState } from '../../src/model/desired.ts';
import type { ResourceKey } from '../../src/model/resource.ts';
import { DriftMemory } from '../../src/reconcile/drift-memory.ts';
import { Executor, type OpResult } from '../../src/reconcile/executor.ts';
import { ExitRecorder } from '../../src/reconcile/exits.ts';
import { GroupCommit } from '../../src/reconcile/group-commit.ts';
import { HealthBook } from '../../src/reconcile/health/health-book.ts';
import { Prober } from '../../src/reconcile/health/prober.ts';
import type { HostFacts } from '../../src/reconcile/host-facts.ts';
import { Controller, type PassReport } from '../../src/reconcile/loop/controller.ts';
import type { Observer } from '../../src/reconcile/observe.ts';
import type { Op, Plan } from '../../src/reconcile/op.ts';
import { OpFailureCache } from '../../src/reconcile/op-failure-cache.ts';
import { reachedKeys } from '../../src/reconcile/op-traits.ts';
import { BuildWork } from '../../src/reconcile/ops/build/build-work.ts';
import { StopClocks } from '../../src/reconcile/ops/containers/stop-clocks.ts';
import type { FailedUpdate } from '../../src/reconcile/ops/containers/update-outcome.ts';
import { FileReaders } from '../../src/reconcile/ops/file-readers.ts';
import { opHandlers } from '../../src/reconcile/ops/handlers.ts';
import { ImageWork } from '../../src/reconcile/ops/images/image-work.ts';
import { KeyedMutex } from '../../src/reconcile/ops/keyed-mutex.ts';
import { LeaseBook } from '../../src/reconcile/ops/networks/lease-book.ts';
import { PathBook } from '../../src/reconcile/path-book.ts';
import { plan } from '../../src/reconcile/plan/plan.ts';
import { startGate } from '../../src/reconcile/start-gate.ts';
import { UpdateBook } from '../../src/reconcile/update-book.ts';
import type { ContainerRecord } from '../../src/state/containers/container-record.ts';
import { EARLIER_DEFAULTS } from '../../src/state/history/network-record.ts';
import { Adoption } from '../../src/supervisor/take-over/take-over.ts';
import { SimClients } from './clients.ts';
import type { Disk } from './disk.ts';
import { SimExec } from './exec.ts';
import { SimGraph } from './graph.ts';
import { loadSimImage, type Sources } from './image-load.ts';
import type { Kernel } from './kernel.ts';
import type { Ledger } from './ledger.ts';
import { SimNetwork } from './network.ts';
import { guarded, openSimStores, simFiles, transaction } from './stores.ts';
import { INJECTED, Killed, Life, type Universe } from './universe.ts';

export const DEFAULT_BRIDGE = {
  key: 'network//bridge',
  driver: 'sim',
  interfaceName: 'tsdocker0',
  // With room for all that a script declares and for what is beside it: addresses come round again.
  ipv4: { subnet: '172.17.0.0/26', gateway: '172.17.0.1' },
  ipv6: null,
  mtu: 1500,
  internal: false,
  options: {},
} satisfies NetworkConfig;

const SETTINGS = {
  dns: [],
  dnsSearch: [],
  hostGateway: [],
  defaultIp: '0.0.0.0',
  networkDriver: 'sim',
  networkDrivers: {
    sim: {
      ...{ fields: [], modes: [], modesWithoutGateway: [], modesForOne: [] },
      ...{ ofHost: true, publishesPorts: true, ownMac: true },
    },
  },
  newNetworks: {
    pools: { ipv4: [{ base: '10.200.0.0/16', size: 24 }], ipv6: [] },
    families: () => ({ ipv6: false, ipv6Problem: null, lacking: null }),
  },
  mtu: 1500,
  fixedCidr: null,
  version: '0',
  tmpDir: '/sim/tmp',
  keptGenerations: 10,
  discardedLimits: new Set<never>(),
};

const HOST: HostFacts = {
  memoryBytes: 2 ** 40,
  availableBytes: 2 ** 40,
  cpus: new Set([0, 1]),
  pids: 2 ** 22,
  diskFreeBytes: 2 ** 40,
  architecture: 'amd64',
  lacking: new Set(),
  runs: () => true,
};

/** As src/composition/loop.ts has them. */
const CONCURRENCY = 256;
const RESYNC_MS = 10_000;

/** What outlives supervisors, and who watches them. */
export interface Surroundings {
  readonly universe: Universe;
  readonly disk: Disk;
  readonly kernel: Kernel;
  readonly sources: Sources;
  readonly ledger: Ledger;
  /** What manifests declare. */
  desired(): DesiredState;
  /** Takes an app back to what it was when the container was made from that; null where it never was. */
  rollBack(failed: FailedUpdate): number | null;
  /** True when the loop does not hear of this event. */
  loses(event: string): boolean;
  /** A probe of a run was tried. */
  probed(containerId: string, run: number, probe: object, passed: boolean): void;
  planned(made: Plan): void;
  looked(report: PassReport): void;
  /** A person's stop is written down. */
  stopped(key: ResourceKey, specHash: string): void;
  startedByPerson(key: ResourceKey): void;
  began(op: Op): void;
  ended(result: OpResult): void;
  defect(text: string): void;
}

function openParts(life: Life, around: Surroundings, desired: () => DesiredState): Parts {
  const { universe, disk, kernel } = around;
  const files = simFiles(life);
  const { history, links } = disk;
  const stores = openSimStores(life, disk);
  const resources = guarded(life, 'history.resources', history.resources, ['networks', 'images']);
  const names = guarded(life, 'links', links, ['get', 'list', 'paths', 'entities']);
  const commits = new GroupCommit({
    files,
    links: { batch: (changes) => transaction(life, 'links.batch', () => links.batch(changes)) },
    history: { durable: (changes) => transaction(life, 'history.durable', () => history.durable(changes)) },
  });
  const leases = new LeaseBook(
    guarded(life, 'history.leases', history.leases, ['addresses', 'ports', 'lastAddress']),
    commits,
    () => DYNAMIC_PORTS,
  );
  return opPorts({
    instance: { id: 'abcdef', root: '/sim', runDir: '/sim' },
    clock: universe,
    bootId: universe.bootId,
    settings: SETTINGS,
    desired,
    graph: new SimGraph(life, disk),
    network: new SimNetwork(life, kernel),
    exec: new SimExec(life, disk, kernel),
    ...stores,
    // Files of containers are not simulated.
    names: { lines: () => [], renew: () => {}, leftOut: () => 0 },
    resolver: { serve: () => false },
    imageWork: new ImageWork(),
    builds: new BuildWork(),
    making: new Set(),
    mutex: new KeyedMutex(),
    stopClocks: new StopClocks(universe),
    fileReaders: new FileReaders(),
    leftDown: new Set(),
    unanswered: new Map(),
    paths: new PathBook({
      clock: universe,
      timers: life,
      remoteOn: () => null,
      reach: async () => 0,
      onNews: () => {},
    }),
    registry: { pull: () => Promise.reject(new Error('no registry is simulated')) },
    trustPolicy: new TrustPolicyFile(null, true),
    links: names,
    leases,
    approvals: guarded(life, 'history.approvals', history.approvals, ['all']),
    failures: new OpFailureCache(guarded(life, 'history.failures', history.failures, ['all']), universe.bootId),
    health: new HealthBook(guarded(life, 'history.health', history.health, ['all']), stores.containers.ids()),
    drifts: new DriftMemory(),
    updates: new UpdateBook(guarded(life, 'history.updates', history.updates, ['all']), universe, universe.bootId),
    rollBack: (failed) => around.rollBack(failed),
    resources,
    imagesOfPast: history.images,
    contents: { path: (name) => `/sim/contents/${name}`, holds: () => false, isWhole: () => true },
    configuration: { environmentOf: () => new Map(), seccompOf: () => undefined },
    commits,
    exits: new ExitRecorder(stores.containers, universe, universe.bootId),
    defaultNetwork: () => DEFAULT_BRIDGE,
    defaultNetworkProblem: () => null,
  });
}

/** The executor, telling which plan an op is of. */
class WatchedExecutor extends Executor {
  readonly #planned: (made: Plan) => void;

  constructor(options: ConstructorParameters<typeof Executor>[0], planned: (made: Plan) => void) {
    super(options);
    this.#planned = planned;
  }

  override execute(...args: Parameters<Executor['execute']>): ReturnType<Executor['execute']> {
    this.#planned(args[0]);
    return super.execute(...args);
  }
}

export class SimSupervisor {
  readonly life: Life;
  readonly parts: Parts;
  readonly observer: Observer;
  readonly controller: Controller;
  readonly clients: SimClients;
  readonly #engine: Engine;
  readonly #prober: Prober;
  readonly #adoption: Adoption;
  readonly #around: Surroundings;
  /** The loop runs. */
  ready = false;

  constructor(around: Surroundings) {
    const { universe } = around;
    this.#around = around;
    this.life = new Life(universe);
    this.parts = openParts(this.life, around, () => this.desired());
    const { parts, life } = this;
    const { observer, sight } = createObserver(parts, () => HOST);
    this.observer = observer;
    this.#engine = new Engine({ clock: universe, timers: life });
    const handlers = {
      ...opHandlers(parts),
      'image.load': (op: Extract<Op, { op: 'image.load' }>) => loadSimImage(parts, op, around.sources),
    };
    const journal = {
      begin: (op: Op) => {
        if (life.alive) around.began(op);
        // A loop that lets no time pass would continue for ever.
        if (universe.broken) void this.controller.stop();
      },
      end: (result: OpResult) => {
        if (!life.alive) return;
        around.ended(result);
        this.#tell(result);
      },
    };
    const executor = new WatchedExecutor(
      {
        handlers,
        engine: this.#engine,
        journal,
        clock: universe,
        timers: life,
        concurrency: CONCURRENCY,
        onEvent: (event) => {
          if (event.type !== 'ended' || !life.alive) return;
          this.#prober.review(reachedKeys(event.result.op));
        },
      },
      (made) => life.alive && around.planned(made),
    );
    this.controller = new Controller({
      desired: () => this.desired(),
      observe: (scope) => {
        if (scope === null) this.#adoption.askUnknown();
        return observer.observe(scope);
      },
      executor,
      tooEarly: startGate({ ...parts, sight }),
      failures: parts.failures,
      clock: universe,
      timers: life,
      seed: () => `seed of boot ${universe.steps}`,
      onPass: (report) => {
        if (!life.alive) return;
        around.looked(report);
        this.#prober.review(report.scope);
        if (report.scope === null) this.clients.sweep();
        this.clients.events.emit('change');
      },
      onDefect: (error, keys) => {
        if (life.alive && error.class === 'bug' && !error.step?.startsWith(INJECTED))
          around.defect(`${error.message} (${error.step}) for ${keys.join(', ')}`);
      },
      resyncMs: RESYNC_MS,
    });
    this.clients = new SimClients(this, around.disk, around.ledger, universe);
    this.#prober = this.#openProber();
    this.#adoption = new Adoption({
      ...adoptionPorts(parts),
      timers: life,
      onFound: () => {},
      onProblem: () => {},
      onAnswer: (key) => life.alive && this.#hear('adoption', key),
    });
  }

  /** What manifests declare, and what clients made. */
  desired(): DesiredState {
    return this.clients.resources.with(this.#around.desired());
  }

  /** As LoopStatus does it. */
  #tell({ op, status, ms, error }: OpResult): void {
    const { events } = this.clients;
    events.emit('op', {
      ...{ type: 'op', id: op.id, resource: op.key, status, ms },
      ...(error && { error: error.toJSON() }),
    });
    events.emit('change');
  }

  #openProber(): Prober {
    const { universe, kernel } = this.#around;
    const { containers, images, exec, health } = this.parts;
    return new Prober({
      containers,
      images,
      exec,
      health,
      clock: universe,
      timers: this.life,
      seed: 'probes',
      check: async ({ id, run }, probe) => {
        const answered = await this.life.pauseAtMost('probe', probe.timeoutMs);
        const payload = kernel.payloads.get(id);
        const ok = answered && payload?.run === run && kernel.isWell(payload);
        if (this.life.alive) this.#around.probed(id, run, probe, ok);
        return { ok, output: ok ? 'well' : answered ? 'sick' : 'no answer in time' };
      },
      onChange: ({ key }) => this.#hear('health', key),
      onProblem: () => {},
    });
  }

  /** Events get lost, come late or twice. */
  #hear(event: string, key: ResourceKey): void {
    const { universe } = this.#around;
    if (this.#around.loses(event)) return;
    this.controller.enqueue([key]);
    if (universe.calm || universe.chance.draw('echo') > 0.1) return;
    this.life.after(universe.chance.below('echo after', 5_000), () => this.controller.enqueue([key]));
  }

  /** Takes over what is there and begins to work. A crash on the way is no one's error. */
  async start(): Promise<void> {
    const { parts, life } = this;
    try {
      life.sheltered = true;
      const { key, driver, interfaceName, ipv4, ipv6 } = DEFAULT_BRIDGE;
      const made = { driver, interfaceName, ipv4, ipv6, defaults: EARLIER_DEFAULTS };
      parts.resources.setNetwork({ key: key as ResourceKey, specHash: '', written: {}, schemaVersion: 1, ...made });
      parts.network.ensureNetwork(DEFAULT_BRIDGE);
      life.sheltered = false;
      parts.exec.onExit((exit) => parts.exits.record(exit));
      parts.exits.onExit((_exit, key) => {
        if (!key) return;
        this.#hear('exit', key);
        this.#prober.review([key]);
      });
      await this.#adoption.begin();
      this.controller.start();
      this.ready = true;
    } catch (thrown) {
      if (!(thrown instanceof Killed) && life.alive) throw thrown;
    }
  }

  /** The end that a service manager asks for. */
  async stop(): Promise<void> {
    this.#prober.stop();
    await this.controller.stop();
    await this.#engine.shutdown();
    this.parts.exec.close();
    this.parts.network.close();
    this.life.die();
  }

  /** What a pass over everything would do now. */
  look(): Plan {
    return plan({
      desired: this.desired(),
      observed: this.observer.observe(null),
      now: this.#around.universe.now(),
      seed: 'look',
      scope: null,
      busy: this.controller.busy,
    });
  }

  /** Stops that no later start has taken back. */
  readonly #wishes = new Map<ResourceKey, symbol>();

  stopContainer(key: ResourceKey): void {
    const at = formatTime(this.#around.universe.now().wallMs);
    const specHash = this.desired().resources.get(key)?.specHash ?? '';
    const wish = Symbol('stop');
    this.parts.failures.clear(key);
    this.#wishes.set(key, wish);
    void this.#change(key, (record) => ({
      ...record,
      stopOverride: { at, specHash, until: null },
      restart: { ...record.restart, requested: false },
    })).then((changed) => changed && this.#wishes.get(key) === wish && this.#around.stopped(key, specHash));
  }

  /** `start` and `restart` record the same. */
  startContainer(key: ResourceKey): void {
    this.parts.failures.clear(key);
    // It may be on the disk although no caller gets the result.
    this.#wishes.delete(key);
    this.#around.startedByPerson(key);
    this.#around.ledger.startAsked(this.parts.containers.byKey(key)?.id ?? '');
    void this.#change(key, (record) => ({
      ...record,
      stopOverride: null,
      restart: { restarts: 0, consecutive: 0, requested: true },
    }));
  }

  /** As ContainerChanges does it, without waiting for the loop. */
  #change(key: ResourceKey, change: (record: ContainerRecord) => ContainerRecord): Promise<boolean> {
    const { containers, commits } = this.parts;
    const record = containers.byKey(key);
    if (!record) return Promise.resolve(false);
    const files: Parameters<typeof commits.commit>[0]['files'] = (batch) => containers.change(record.id, change, batch);
    return commits.commit({ files }).then(
      () => {
        this.controller.enqueue([key]);
        // One that is recreated meanwhile takes its change with it; a command continues with what takes its place.
        const holder = containers.byKey(key);
        if (holder && holder.id !== record.id) return this.#change(key, change);
        return containers.get(record.id) !== undefined;
      },
      () => false,
    );
  }
}
