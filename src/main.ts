/** Composition root: the only place that constructs clock, state, drivers and controller. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { serveApi } from './api/server.ts';
import type { DoctorCheck, InfoView } from './api/supervisor.ts';
import { VERSION } from './api/version.ts';
import type { DaemonConfig } from './daemon-config.ts';
import type { Driver, Instance, NetworkConfig, NetworkDriver } from './drivers/contract.ts';
import { openGraphDriver } from './drivers/graph/open.ts';
import { EXEC_DRIVERS, GRAPH_DRIVERS, NETWORK_DRIVERS } from './drivers/registry.ts';
import { Engine } from './engine/engine.ts';
import { trapSignals } from './engine/signals.ts';
import { systemTimers } from './engine/timers.ts';
import { systemClock } from './ffi/boot-clock.ts';
import { bootId } from './ffi/processes.ts';
import { AuthFile, authFilePath } from './images/registry/auth-file.ts';
import { INSECURE_BY_DEFAULT } from './images/registry/endpoints.ts';
import { Registry } from './images/registry/registry.ts';
import { keyId, openDaemonKey } from './images/trust/daemon-key.ts';
import { TrustPolicyFile } from './images/trust/policy.ts';
import { readTrustDirectory } from './images/trust/trust-store.ts';
import { loadEnvironment } from './manifest/content.ts';
import { readContentFile } from './manifest/source/files.ts';
import { watchManifests } from './manifest/source/watch.ts';
import { describeError, TsdError, toTsdError } from './model/errors.ts';
import type { ContainerSpec } from './model/kinds/container.ts';
import type { ResourceKey } from './model/resource.ts';
import { nextKey, oldKey } from './model/update.ts';
import { Controller } from './reconcile/controller.ts';
import { DriftMemory } from './reconcile/drift-memory.ts';
import { Executor } from './reconcile/executor.ts';
import { ExitRecorder } from './reconcile/exits.ts';
import { FailureBook } from './reconcile/failure-book.ts';
import { GroupCommit } from './reconcile/group-commit.ts';
import { realChecks } from './reconcile/health/checks.ts';
import { HealthBook } from './reconcile/health/health-book.ts';
import { Prober } from './reconcile/health/prober.ts';
import { readHostFacts } from './reconcile/host-facts.ts';
import { observe } from './reconcile/observe.ts';
import { BuildWork } from './reconcile/ops/build/build-work.ts';
import { opHandlers } from './reconcile/ops/handlers.ts';
import { ImageWork } from './reconcile/ops/image-work.ts';
import { LeaseBook } from './reconcile/ops/lease-book.ts';
import type { World } from './reconcile/ops/world.ts';
import { startGate } from './reconcile/start-gate.ts';
import { UpdateBook } from './reconcile/update-book.ts';
import { ContainerStore } from './state/containers.ts';
import { GraphIndex } from './state/graph-index.ts';
import { type History, openHistory } from './state/history/history.ts';
import { LinkGraph } from './state/link-graph.ts';
import { RepositoryStore } from './state/repositories.ts';
import { openRoot, type StateRoot } from './state/root.ts';
import { SecretStore } from './state/secrets.ts';
import { VolumeStore } from './state/volumes.ts';
import { adoptContainers, adoptUnknown } from './supervisor/adopt.ts';
import { defaultMtu, defaultNetworkConfig } from './supervisor/default-network.ts';
import { runDoctor } from './supervisor/doctor.ts';
import { SupervisorEventBus } from './supervisor/events.ts';
import { Collector } from './supervisor/images/collector.ts';
import { createLogger, type Logger } from './supervisor/log.ts';
import { logTimelineEntry } from './supervisor/log-timeline.ts';
import { LogForwarding } from './supervisor/logs/forwarding/log-forwarding.ts';
import { LoopStatus } from './supervisor/loop-status.ts';
import { Observers } from './supervisor/observers.ts';
import { ServiceManager } from './supervisor/service-manager.ts';
import { stopAll } from './supervisor/shutdown.ts';
import { Sources } from './supervisor/sources.ts';
import { keepStatus } from './supervisor/status-line.ts';
import { Supervisor } from './supervisor/supervisor.ts';
import { Timeline } from './supervisor/timeline.ts';
import { registerTrustJobs } from './supervisor/trust-jobs.ts';

const SHIM_BINARY = fileURLToPath(new URL('../build/tsdocker-shim', import.meta.url));
/** Shared with Docker first, then our own. */
const CERTIFICATE_DIRECTORIES = ['/etc/docker/certs.d', '/etc/tsdocker/certs.d'];
const DEFAULT_TRUST_POLICY = '/etc/tsdocker/trust-policy.yaml';
/** Ops at the same time. Most of an op is waiting, for a disk or for a payload to end; none may keep others from it. */
const CONCURRENCY = 256;
/** How often everything is looked at without being asked: bounds how long drift in the kernel goes unseen. */
const RESYNC_MS = 10_000;

function requireRoot(): void {
  const uid = process.geteuid?.();
  if (uid !== 0) throw new TsdError('TSD_NOT_ROOT', `The supervisor needs to be run as root, not as uid ${uid}`);
}

function createExecDriver(config: DaemonConfig, instance: Instance) {
  const create = Object.entries(EXEC_DRIVERS).find(([name]) => name === config.execDriver)?.[1];
  if (create) return create({ instance, clock: systemClock, shimBinary: SHIM_BINARY });
  const names = Object.keys(EXEC_DRIVERS).join(', ');
  throw new TsdError('TSD_DRIVER_UNKNOWN', `unknown exec driver ${config.execDriver}; there are ${names}`);
}

/** @throws TSD_TRUST_POLICY when it cannot be used: better no start than one that lets everything in. */
function openTrustPolicy({ trustPolicy }: DaemonConfig): TrustPolicyFile {
  const policy = new TrustPolicyFile(trustPolicy ?? DEFAULT_TRUST_POLICY, trustPolicy === null);
  policy.read();
  return policy;
}

function createRegistry(config: DaemonConfig, root: string, policy: TrustPolicyFile): Registry {
  return new Registry({
    settings: {
      mirrors: config.registryMirror,
      insecure: [...INSECURE_BY_DEFAULT, ...config.insecureRegistry],
      certificates: CERTIFICATE_DIRECTORIES,
    },
    downloads: join(root, 'downloads'),
    records: join(root, 'distribution'),
    logins: new AuthFile(authFilePath(process.env, homedir())),
    policy,
    clock: systemClock,
  });
}

function createNetworkDriver(config: DaemonConfig, instance: Instance): NetworkDriver {
  return NETWORK_DRIVERS.bridge({ instance, iptables: config.iptables, ipForward: config.ipForward });
}

function requireDirectory(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== false) return;
  throw new TsdError('TSD_FLAG', `${path} is not a directory`, {
    step: '--manifests',
    hint: 'Name the directory that holds the manifests; a single one is handed over with `tsdocker apply -f`.',
  });
}

/** Null, with the reason in the log, where this host cannot have it: containers that need it are then held back. */
function setUpDefaultNetwork(
  config: DaemonConfig,
  network: NetworkDriver,
  history: History,
  log: Logger,
): NetworkConfig | null {
  if (config.disableNetwork) return null;
  const key: ResourceKey = 'network//bridge';
  const recorded = history.resources.networks().find((record) => record.key === key);
  const previous = recorded ? `${recorded.gateway}/${recorded.subnet.split('/')[1]}` : null;
  try {
    const wanted = defaultNetworkConfig({ ...config, previous }, network);
    network.ensureNetwork(wanted);
    // Only what worked is remembered: a mistyped name would hand the subnet of a foreign interface to the next start.
    history.resources.setNetwork({
      key,
      specHash: '',
      written: {},
      schemaVersion: 1,
      bridge: wanted.bridge,
      subnet: wanted.subnet,
      gateway: wanted.gateway,
    });
    return wanted;
  } catch (thrown) {
    const error = toTsdError(thrown);
    if (error.code === 'TSD_FLAG') throw error;
    log.error({ code: error.code, hint: error.hint }, `no default bridge: ${describeError(error)}`);
    return null;
  }
}

function environmentOf(spec: ContainerSpec): ReadonlyMap<string, string> {
  const { values, problems } = loadEnvironment(spec, readContentFile);
  const [first] = problems;
  if (first) throw new TsdError('TSD_MANIFEST_READ', first.message, { step: first.field, class: 'precondition' });
  return values;
}

interface Stores {
  readonly containers: ContainerStore;
  readonly images: GraphIndex;
  readonly volumes: VolumeStore;
  readonly links: LinkGraph;
  readonly history: History;
  readonly secrets: SecretStore;
}

async function openStores({ root, runDir, files, runFiles, issues }: StateRoot, log: Logger): Promise<Stores> {
  const stores: Stores = {
    containers: new ContainerStore(root, files),
    images: new GraphIndex(root, files),
    volumes: new VolumeStore(root, files),
    links: new LinkGraph(join(root, 'linkgraph.db')),
    history: openHistory(join(root, 'history.db')),
    secrets: await SecretStore.open(root, runDir, files, runFiles),
  };
  const found = [
    issues,
    stores.containers.issues,
    stores.images.issues,
    stores.volumes.issues,
    stores.links.issues,
    stores.history.issues,
  ];
  for (const { path, error } of found.flat()) log.warn({ path, code: error.code }, describeError(error));
  return stores;
}

function createWorld(
  config: DaemonConfig,
  state: StateRoot,
  stores: Stores,
  log: Logger,
  desired: Pick<World, 'desired' | 'rollBack'>,
  registry: Registry,
  trustPolicy: TrustPolicyFile,
): World {
  const instance: Instance = { id: state.instanceId, root: state.root, runDir: state.runDir };
  const graph = openGraphDriver({
    drivers: GRAPH_DRIVERS,
    root: state.root,
    requested: config.storageDriver,
    options: config.storageOpt,
    graphIds: stores.images.layersInUse(),
  });
  const network = createNetworkDriver(config, instance);
  const exec = createExecDriver(config, instance);
  const boot = bootId();
  const { containers, images, volumes, links, history } = stores;
  const bridge = setUpDefaultNetwork(config, network, history, log);
  return {
    instance,
    clock: systemClock,
    bootId: boot,
    settings: {
      dns: config.dns,
      dnsSearch: config.dnsSearch,
      defaultIp: config.ip,
      mtu: config.mtu === 0 ? defaultMtu() : config.mtu,
      fixedCidr: config.fixedCidr,
      version: VERSION,
      keptGenerations: config.keepGenerations,
    },
    ...desired,
    graph,
    network,
    exec,
    containers,
    images,
    imageWork: new ImageWork(),
    builds: new BuildWork(),
    making: new Set(),
    registry,
    trustPolicy,
    repositories: new RepositoryStore(state.root, graph.name, state.files),
    volumes,
    links,
    leases: new LeaseBook(history.leases),
    approvals: history.approvals,
    failures: new FailureBook(history.failures, boot),
    health: new HealthBook(history.health, containers.ids()),
    drifts: new DriftMemory(),
    updates: new UpdateBook(history.updates, systemClock, boot),
    resources: history.resources,
    imagesOfPast: history.images,
    environmentOf,
    commits: new GroupCommit({ files: state.files, links, history }),
    exits: new ExitRecorder(containers, systemClock, boot),
    hostFacts: () => readHostFacts(state.root),
    defaultNetwork: () => bridge,
  };
}

function facts(
  config: DaemonConfig,
  id: string,
): Pick<InfoView, 'id' | 'version' | 'manifests' | 'socket' | 'defaultBridge' | 'labels' | 'warnings'> {
  return {
    id,
    version: VERSION,
    manifests: config.manifests,
    socket: config.hosts.join(', '),
    defaultBridge: config.disableNetwork ? 'none' : (config.bridge ?? config.defaultBridge),
    labels: config.label,
    warnings: [],
  };
}

/** Runs the supervisor until a signal ends it. @throws TsdError when it cannot start. */
export async function runDaemon(config: DaemonConfig): Promise<void> {
  requireRoot();
  const log = createLogger(config.logLevel, process.stderr.isTTY === true);
  requireDirectory(config.manifests);
  const trustPolicy = openTrustPolicy(config);
  const service = new ServiceManager(process.env);
  const state = await openRoot(config);
  const stores = await openStores(state, log);
  const { history, secrets } = stores;
  const events = new SupervisorEventBus();
  const seed = randomBytes(16).toString('hex');

  const sources = new Sources({
    history,
    clock: systemClock,
    directory: config.manifests,
    resolve: {
      readFile: readContentFile,
      hashSecret: (bytes) => secrets.reference(bytes.toString('latin1')),
      defaultHostIp: config.ip,
    },
    onChange: (next, before) => {
      log.info({ generation: next.generation }, 'desired state changed');
      watcher.setInputs(sources.inputs());
      controller.enqueue(new Set([...next.resources.keys(), ...before.resources.keys()]));
    },
  });
  const registry = createRegistry(config, state.root, trustPolicy);
  const world = createWorld(
    config,
    state,
    stores,
    log,
    { desired: () => sources.state, rollBack: (failed) => sources.rollBackUpdate(failed) },
    registry,
    trustPolicy,
  );
  world.exec.onExit((exit) => {
    world.exits.record(exit);
    world.builds.exited(exit);
  });
  const timeline = new Timeline({
    history,
    containers: world.containers,
    clock: systemClock,
    generation: () => sources.generation,
    onEntry: (entry) => logTimelineEntry(log, entry),
  });
  world.exits.onExit((exit, key) => {
    timeline.exit(exit, key);
    events.emit('change');
    if (key) controller.enqueue([key]);
    if (key) prober.review([key]);
  });

  const onBug = (error: TsdError): void => log.error({ code: error.code, stack: error.stack }, describeError(error));
  const observers = new Observers({ ...config, version: VERSION, onBug });
  const id = keyId(openDaemonKey(join(state.root, 'key.json')));
  const engine = new Engine({ timers: systemTimers, log: (line) => log.debug(line) });
  const loop = new LoopStatus({
    world,
    history,
    timeline,
    events,
    log,
    clock: systemClock,
    onOp: (result) => observers.op(result),
  });
  const executor = new Executor({
    handlers: opHandlers(world),
    engine,
    journal: loop.journal,
    clock: systemClock,
    timers: systemTimers,
    concurrency: CONCURRENCY,
    onEvent: (event) => {
      loop.onOpEvent(event);
      if (event.type !== 'ended') return;
      const { key, op } = event.result.op;
      prober.review(op === 'container.cutover' ? [key, nextKey(key), oldKey(key)] : [key]);
    },
  });
  const controller = new Controller({
    desired: () => sources.state,
    observe: async (scope) => {
      if (scope === null) {
        const { found, problems } = await adoptUnknown(world);
        for (const run of found) timeline.found(run);
        for (const problem of problems) log.error(problem);
      }
      return observe(world, scope);
    },
    executor,
    tooEarly: startGate(world),
    failures: world.failures,
    clock: systemClock,
    timers: systemTimers,
    seed: () => seed,
    onPass: (report) => {
      timeline.pass(report);
      observers.pass(report, systemClock.now().wallMs);
      events.emit('change');
      prober.review(report.scope);
    },
    onDefect: (error, keys) => {
      observers.defect();
      log.error({ keys, stack: error.stack }, describeError(error));
    },
    resyncMs: RESYNC_MS,
  });
  loop.attach(controller);
  registerTrustJobs(engine, systemClock, readTrustDirectory(join(state.root, 'trust')));
  const prober = new Prober({
    world,
    clock: systemClock,
    timers: systemTimers,
    seed,
    check: realChecks(world, systemTimers),
    onChange: (change) => {
      timeline.health(change, sources.state.resources.get(change.key));
      events.emit('change');
      controller.enqueue([change.key]);
    },
  });
  const collector = new Collector({
    world,
    history,
    engine,
    timers: systemTimers,
    log,
    marks: { high: config.gcHigh, low: config.gcLow, budget: config.imageBudget, minAgeMs: config.gcMinAge },
    logBudget: config.logBudget,
    intervalMs: config.gcInterval,
  });

  const adopted = await adoptContainers(world);
  loop.setUnavailable(adopted.unavailable);
  for (const problem of adopted.problems) log.error(problem);
  for (const run of adopted.found) timeline.found(run);
  log.info({ running: adopted.running, exited: adopted.exited }, 'took over what was there');

  const watcher = watchManifests(config.manifests, {
    clock: systemClock,
    knownFiles: sources.views().filter(({ origin }) => origin === 'watched').length,
    onChange: async (snapshot) => {
      if (!(await sources.watch(snapshot))) return;
      if (sources.held) log.warn(sources.held.message);
      for (const view of sources.views()) {
        for (const issue of view.issues)
          log.error({ code: issue.code }, `${issue.file}:${issue.line}:${issue.column}: ${issue.message}`);
      }
      watcher.setInputs(sources.inputs());
      events.emit('change');
    },
    onProblem: (error) => log.error(describeError(error)),
  });
  const drivers: readonly (readonly Driver[])[] = [[world.graph], [world.network], [world.exec]];
  const api = new Supervisor({
    world,
    history,
    registry,
    sources,
    loop,
    timeline,
    events,
    seed,
    facts: facts(config, id),
    doctor: async () => runDoctor(config.root, drivers),
    stopEverything: async () => {
      prober.stop();
      await controller.stop();
      return stopAll(world, sources.state);
    },
  });
  const release = (): void => {
    leaveNothingUnused(world);
    world.exec.close();
    world.network.close();
    world.graph.close();
    stores.links.close();
    history.close();
    state.close();
  };
  const giveUp = async (error: unknown): Promise<never> => {
    // What stays open would keep the process from ending.
    await watcher.close();
    await sources.close();
    await observers.close();
    release();
    throw error;
  };
  const served = await observers.serve({ world, controller, events, api }).catch(giveUp);
  const server = await serveApi({ api, hosts: config.hosts, group: config.group, onBug }).catch(giveUp);
  controller.start();
  collector.start();
  service.ready();
  const holds = () =>
    [...sources.state.resources.keys()].flatMap((key) => {
      const hold = loop.hold(key);
      return hold ? [[key, hold] as const] : [];
    });
  const forwarding = new LogForwarding({ world, events, log });
  const statusFacts = () => ({ ...api.info(), holds: holds() });
  const endStatus = keepStatus(events, statusFacts, (line) => service.status(line));
  log.info({ socket: config.hosts, manifests: config.manifests, graph: world.graph.name, ...served }, 'ready');

  await new Promise<void>((stopped) => {
    trapSignals(
      { on: (signal, listener) => process.on(signal, listener), exit: (code) => process.exit(code) },
      async () => {
        endStatus();
        await forwarding.end();
        service.stopping();
        log.info('stopping');
        await watcher.close();
        await sources.close();
        prober.stop();
        await collector.stop();
        await controller.stop();
        if (config.stopContainers) await stopAll(world, sources.state);
        await engine.shutdown();
        await server.close();
        await observers.close();
        release();
        stopped();
      },
    );
  });
}

/** With no container left that needs them, bridge and rules go too; otherwise they stay for those that go on. */
function leaveNothingUnused(world: World): void {
  const network = world.defaultNetwork();
  if (!network || world.containers.all().length > 0) return;
  world.network.removeNetwork(network.key);
}

/** The checks of `tsdocker doctor` without a supervisor. */
export async function localDoctor(): Promise<readonly DoctorCheck[]> {
  // A root of its own: a driver that is constructed on a root in use would clear away what is being built there.
  const root = mkdtempSync(join(tmpdir(), 'tsdocker-doctor-'));
  const instance: Instance = { id: '000000', root, runDir: root };
  const families = (): readonly (readonly Driver[])[] => [
    Object.values(GRAPH_DRIVERS).map(({ create }) => create(root, [])),
    [NETWORK_DRIVERS.bridge({ instance, iptables: true, ipForward: true })],
    [EXEC_DRIVERS.native({ instance, clock: systemClock, shimBinary: SHIM_BINARY })],
  ];
  try {
    return runDoctor(root, process.geteuid?.() === 0 ? families() : []);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
