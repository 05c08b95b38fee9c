/** Composition root: the only place that constructs clock, state, drivers and controller. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { serveApi } from './api/server.ts';
import type { ResetOptions } from './api/supervisor.ts';
import { VERSION } from './api/version.ts';
import { createGates, doubtedSettings, RefusedFiles, refusedPaths } from './composition/gates.ts';
import { createPathBook, freeReader } from './composition/path-book.ts';
import { daemonFacts, requireDirectory, requireHost, requireRoot } from './composition/preconditions.ts';
import { createRegistry, openTrustPolicy } from './composition/registry.ts';
import { openStores } from './composition/stores.ts';
import { createExecDriver, createWorld } from './composition/world.ts';
import type { DaemonConfig } from './daemon-config.ts';
import type { Driver } from './drivers/contract.ts';
import { Engine } from './engine/engine.ts';
import { trapSignals } from './engine/signals.ts';
import { systemTimers } from './engine/timers.ts';
import { systemClock } from './ffi/boot-clock.ts';
import { keyId, openDaemonKey } from './images/trust/daemon-key.ts';
import { readTrustDirectory } from './images/trust/trust-store.ts';
import { plainHash } from './manifest/content.ts';
import { watchManifests } from './manifest/source/watch.ts';
import { describeError, type TsdError, toTsdError } from './model/errors.ts';
import { usersOf } from './model/host-files.ts';
import type { ResourceKey } from './model/resource.ts';
import { Controller } from './reconcile/controller.ts';
import { Executor } from './reconcile/executor.ts';
import { realChecks } from './reconcile/health/checks.ts';
import { Prober } from './reconcile/health/prober.ts';
import { observeAnswered } from './reconcile/observe.ts';
import { reachedKeys } from './reconcile/op-traits.ts';
import { opHandlers } from './reconcile/ops/handlers.ts';
import { startGate } from './reconcile/start-gate.ts';
import { removeInstanceFiles } from './state/instance-files.ts';
import { openRoot } from './state/root.ts';
import { openTmpDir } from './state/tmp-dir.ts';
import { leaveDown } from './supervisor/adopt.ts';
import { Adoption } from './supervisor/adoption.ts';
import { copiesInUse, copiesNeeded } from './supervisor/copies-in-use.ts';
import { cutOffContainers } from './supervisor/cut-off.ts';
import { copyMade, describeSettled, settleDeclarations } from './supervisor/declarations/start.ts';
import { runDoctor } from './supervisor/doctor.ts';
import { SupervisorEventBus } from './supervisor/events.ts';
import { stateOfGeneration } from './supervisor/generation-record.ts';
import { giveHostBack } from './supervisor/give-back.ts';
import { Collector } from './supervisor/images/collector.ts';
import { ImageJobs } from './supervisor/images/image-jobs.ts';
import { KeptContents } from './supervisor/kept-contents.ts';
import { createLogger } from './supervisor/log.ts';
import { logTimelineEntry } from './supervisor/log-timeline.ts';
import { LogForwarding } from './supervisor/logs/forwarding/log-forwarding.ts';
import { LogTroubles } from './supervisor/logs/forwarding/log-troubles.ts';
import { LoopPauses } from './supervisor/loop-pauses.ts';
import { LoopStatus } from './supervisor/loop-status.ts';
import { Observers } from './supervisor/observers.ts';
import { Pauses } from './supervisor/pauses.ts';
import { Pruning } from './supervisor/pruning.ts';
import { takeAway } from './supervisor/reset/take-away.ts';
import { ServiceManager } from './supervisor/service-manager.ts';
import { sharingContainers } from './supervisor/shared-groups.ts';
import { stopAll } from './supervisor/shutdown.ts';
import { Sources } from './supervisor/sources.ts';
import { stateFacts } from './supervisor/state-checks.ts';
import { keepStatus } from './supervisor/status-line.ts';
import { Supervisor } from './supervisor/supervisor.ts';
import { Timeline } from './supervisor/timeline.ts';
import { registerTrustJobs } from './supervisor/trust-jobs.ts';
import { unfilteredRuns } from './supervisor/unfiltered.ts';
import { commandChecks } from './supervisor/who-may-command.ts';

/** Ops at the same time. Most of an op is waiting, for a disk or for a payload to end; none may keep others from it. */
const CONCURRENCY = 256;
/** How often everything is looked at without being asked: bounds how long drift in the kernel goes unseen. */
const RESYNC_MS = 10_000;

/** What was opened before a start failed would keep the process, and its service manager, waiting for ever. */
const LAST_WORDS_MS = 100;

/** Runs the supervisor until a signal ends it. @throws TsdError when it cannot start; the process ends soon after that. */
export async function runDaemon(config: DaemonConfig): Promise<void> {
  try {
    await supervise(config);
  } catch (error) {
    setTimeout(() => process.exit(), LAST_WORDS_MS).unref();
    throw error;
  }
}

async function supervise(config: DaemonConfig): Promise<void> {
  requireRoot();
  requireHost();
  const log = createLogger(config.logLevel, process.stderr.isTTY === true);
  requireDirectory(config.manifests);
  const gates = createGates(config);
  const trustPolicy = openTrustPolicy(config, gates.own, ({ code, message, hint }) =>
    log.error({ code }, `${message}: no image comes in. ${hint}`),
  );
  const service = new ServiceManager(process.env, (error) =>
    log.warn(`the service manager does not listen: ${describeError(error)}`),
  );
  const loopPauses = new LoopPauses({ clock: systemClock, timers: systemTimers, running: () => engine.running() });
  const state = await openRoot(config);
  const tmp = openTmpDir(state, config.tmpdir);
  const stores = await openStores(state, log);
  const { history, secrets, reserve, contents } = stores;
  const kept = new KeptContents(history, contents, config.keepGenerations);
  const events = new SupervisorEventBus();
  const seed = randomBytes(16).toString('hex');

  const refusedFiles = new RefusedFiles(({ message, hint }) =>
    log.error({ code: 'TSD_UNTRUSTED' }, `${message}. ${hint}`),
  );
  const settingsGate = {
    watched: refusedFiles.watched(gates.own),
    applied: refusedFiles.watched(gates.applied),
  };
  const exec = createExecDriver(config, state);
  const paths = createPathBook(exec, (path) => controller.enqueue(usersOf(sources.state, path)));
  const settingsReader = (watched: boolean) => freeReader(paths, watched ? settingsGate.watched : settingsGate.applied);
  const resolve = {
    readFile: freeReader(paths),
    readerFor: (id: string) => settingsReader(id.startsWith('watched ')),
    settle: (files: readonly string[]) => paths.settle(files),
    onRead: (ms: number) => loopPauses.kept('reading manifests', ms),
    hashSecret: (bytes: Buffer) => secrets.reference(bytes.toString('latin1')),
    defaultHostIp: config.ip,
  };
  const settled = settleDeclarations(stores, (n) => stateOfGeneration(history, resolve, n), systemClock.now().wallMs);
  if (settled !== null) log.warn(settled, describeSettled(settled));
  copyMade(stores);
  const sources = new Sources({
    history,
    declarations: stores.declarations,
    reserve,
    clock: systemClock,
    directory: config.manifests,
    kept,
    hasImage: (imageId) => stores.images.get(imageId) !== undefined,
    copiesInUse: () => copiesInUse(stores, contents),
    resolve,
    onIssue: ({ code, file, line, column, message, hint }, severity) =>
      log[severity === 'error' ? 'error' : 'warn'](
        { code },
        `${file}:${line}:${column}: ${message}${code === 'TSD_UNTRUSTED' ? `. ${hint}` : ''}`,
      ),
    refusedFile: (path) => refusedFiles.get(path),
    onChange: (next, before) => {
      log.info({ generation: next.generation }, 'desired state changed');
      loop.edited(next.generation);
      watcher.setInputs(sources.inputs());
      controller.enqueue(new Set([...next.resources.keys(), ...before.resources.keys()]));
    },
  });
  const registry = createRegistry(config, { root: state.root, downloads: tmp.downloads }, trustPolicy, gates.own);
  const { world, defaultNetwork, names } = createWorld({
    config,
    state,
    tmpDir: tmp.work,
    stores,
    registry,
    trustPolicy,
    exec,
    paths,
    settings: {
      trusted: (app) => settingsReader(sources.sourceOfApp(app)?.kind === 'watched'),
      hashes: (bytes) => [secrets.reference(bytes.toString('latin1')), plainHash(bytes)],
    },
    desired: { desired: () => sources.state, rollBack: (failed) => sources.rollBackUpdate(failed) },
    log,
  });
  world.exec.onExit((exit) => {
    world.exits.record(exit);
    world.builds.exited(exit);
  });
  const pruning = new Pruning(history);
  const timeline = new Timeline({
    history,
    pruning,
    containers: world.containers,
    clock: systemClock,
    generation: () => sources.generation,
    onEntry: (entry) => logTimelineEntry(log, entry),
  });
  world.exits.onExit((exit, key) => {
    if (key) controller.enqueue([key]);
    if (key) prober.review([key]);
    timeline.exit(exit, key);
    events.emit('change');
  });

  const onBug = (error: TsdError): void => log.error({ code: error.code, stack: error.stack }, describeError(error));
  const observers = new Observers({
    ...config,
    version: VERSION,
    timers: systemTimers,
    log,
    onBug,
    pauses: () => loopPauses.view(),
  });
  const id = keyId(openDaemonKey(config.trustKey ?? join(state.root, 'key.json')));
  const engine = new Engine({
    timers: systemTimers,
    log: (line) => log.debug(line),
    onEnd: (job) => loopPauses.ended(job),
  });
  const loop = new LoopStatus({
    world,
    history,
    pruning,
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
      prober.review(reachedKeys(event.result.op));
    },
  });
  const controller = new Controller({
    desired: () => sources.state,
    observe: (scope) => {
      if (scope !== null) return observeAnswered(world, scope);
      reserve.refill();
      defaultNetwork.review();
      adoption.askUnknown();
      return observeAnswered(world, null);
    },
    executor,
    tooEarly: startGate(world),
    failures: world.failures,
    clock: systemClock,
    timers: systemTimers,
    seed: () => seed,
    onPass: (report) => {
      timeline.pass(report);
      loopPauses.kept(report.scope === null ? 'a pass over everything' : 'a pass', report.ms);
      observers.pass(report, systemClock.now().wallMs);
      events.emit('change');
      prober.review(report.scope);
    },
    onRequeue: ({ key, atBootMs, why }, now) =>
      log.debug({ key: key ?? 'all', inMs: Math.round((atBootMs ?? now) - now), because: why }, 'will be looked at'),
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
    onProblem: (error, key) => log.error({ key }, `health: ${describeError(error)}`),
    onChange: (change) => {
      timeline.health(change, sources.state.resources.get(change.key));
      events.emit('change');
      controller.enqueue([change.key]);
    },
  });
  const pauses = new Pauses({
    world,
    onChange: (key) => {
      events.emit('change');
      if (key === null) return;
      prober.review([key]);
      controller.enqueue([key]);
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
    // What is not certain may need any of it.
    isPaused: () => sources.isUncertain || world.images.issues.length > 0,
    sweepCopies: () => kept.remove(kept.unused(copiesNeeded(world, contents))),
  });

  const adoption = new Adoption({
    world,
    timers: systemTimers,
    onFound: (run) => timeline.found(run),
    onProblem: (text) => log.error(text),
    onAnswer: (key) => controller.enqueue([key]),
  });

  const release = (): void => {
    adoption.stop();
    names.end();
    giveHostBack(world, log);
    world.exec.close();
    world.network.close();
    world.graph.close();
    stores.links.close();
    history.close();
  };
  // What stays open would keep the process from ending.
  const adopted = await adoption.begin().catch((error: unknown) => {
    release();
    state.close();
    throw error;
  });
  if (!config.restart) leaveDown(world);
  loop.setUnavailable(adopted.unavailable);
  names.begin();
  log.info({ running: adopted.running, exited: adopted.exited }, 'took over what was there');

  const watcher = watchManifests(config.manifests, {
    clock: systemClock,
    files: paths,
    gate: gates.own,
    knownFiles: sources.views().filter(({ origin }) => origin === 'watched').length,
    onChange: async (snapshot) => {
      if (!(await sources.watch(snapshot))) return;
      if (sources.held) log.warn(sources.held.message);
      if (sources.refused) {
        const { message, hint } = sources.refused;
        log.error({ code: 'TSD_UNTRUSTED' }, `${message}; its manifests stay as they are in force. ${hint}`);
      }
      watcher.setInputs(sources.inputs());
      events.emit('change');
    },
    onProblem: (error) => log.error(describeError(error)),
  });
  const stateIssues = () => {
    const names = world.repositories.issue();
    return [...stores.issues, ...stores.declarations.issues, ...(names ? [names] : [])];
  };
  for (const { path, error } of stateIssues().slice(stores.issues.length))
    log.warn({ path, code: error.code, hint: error.hint }, describeError(error));
  const drivers: readonly (readonly Driver[])[] = [[world.graph], [world.network], [world.exec]];
  const logTroubles = new LogTroubles(systemClock);
  const stopEverything = async (): Promise<number> => {
    loop.shutDown();
    prober.stop();
    await controller.stop();
    await adoption.lastAnswers();
    const tell = (key: ResourceKey) => timeline.override(key, 'host-shutdown', loop.ended() ?? '');
    const stopped = await stopAll(world, sources.state, tell);
    events.emit('change');
    return stopped;
  };
  /** Everything of this instance goes when it ends. */
  let reset: ResetOptions | null = null;
  const api = new Supervisor({
    logTroubles,
    world,
    history,
    reserve,
    jobs: new ImageJobs(engine),
    registry,
    sources,
    kept,
    loop,
    timeline,
    events,
    pauses,
    seed,
    facts: daemonFacts(config, id, stores.issues),
    doctor: async () => [
      ...runDoctor(config.root, drivers, {
        runDir: state.runDir,
        ipForward: config.ipForward,
        pauses: loopPauses.view(),
        cutOff: cutOffContainers(world),
        sharing: sharingContainers(world),
        state: stateFacts(state.root, stateIssues(), sources.uncertain),
        unfiltered: unfilteredRuns(world),
      }),
      ...commandChecks(sources.views(), sources.refused, {
        refused: refusedPaths(config, state, gates),
        doubted: doubtedSettings(config, gates),
      }),
    ],
    stopEverything,
    reset: async (options) => {
      const stopped = await stopEverything();
      await engine.shutdown();
      const stays = await takeAway({ exec: world.exec, network: world.network, graphs: [world.graph] });
      reset = options;
      // After the answer.
      setImmediate(() => process.kill(process.pid, 'SIGTERM'));
      return { stopped, stays };
    },
  });
  const giveUp = async (error: unknown): Promise<never> => {
    await watcher.close();
    await sources.close();
    await observers.close();
    release();
    state.close();
    throw error;
  };
  const served = await observers.serve({ world, controller, events, api });
  const server = await serveApi({ api, hosts: config.hosts, group: config.group, onBug }).catch(giveUp);
  controller.start();
  collector.start();
  loopPauses.start();
  service.ready();
  const holds = () =>
    [...sources.state.resources.keys()].flatMap((key) => {
      const hold = loop.hold(key);
      return hold ? [[key, hold] as const] : [];
    });
  const forwarding = new LogForwarding({ world, events, log, troubles: logTroubles });
  const statusFacts = () => ({ ...api.info(), holds: holds() });
  const endStatus = keepStatus(events, statusFacts, (line) => service.status(line));
  log.info({ socket: config.hosts, manifests: config.manifests, graph: world.graph.name, ...served }, 'ready');

  await new Promise<void>((stopped) => {
    trapSignals(
      { on: (signal, listener) => process.on(signal, listener), exit: (code) => process.exit(code) },
      async () => {
        endStatus();
        service.stopping();
        log.info('stopping');
        await watcher.close();
        await sources.close();
        prober.stop();
        await collector.stop();
        loopPauses.stop();
        await controller.stop();
        if (config.stopContainers) {
          await adoption.lastAnswers();
          await stopAll(world, sources.state);
        }
        // First, because it ends what only those who asked for it wait for: builds, pulls.
        const closed = server.close();
        await engine.shutdown();
        await closed;
        await forwarding.end();
        await observers.close();
        release();
        if (reset !== null)
          await removeInstanceFiles(state, { ...reset, elsewhere: tmp.own }).catch((error) =>
            log.error(describeError(toTsdError(error))),
          );
        state.close();
        stopped();
      },
    );
  });
}
