/** Second step of a start: constructs the working parts and connects them. Nothing runs yet. */
import { randomBytes } from 'node:crypto';
import { VERSION } from '../api/version.ts';
import { EventRing } from '../engine/events.ts';
import { systemTimers } from '../engine/timers.ts';
import { systemClock } from '../ffi/boot-clock.ts';
import { onArrivals } from '../ffi/network/arrivals.ts';
import { within } from '../model/clock.ts';
import { describeError, type TsdError } from '../model/errors/errors.ts';
import type { ResourceKey } from '../model/resource.ts';
import { realChecks } from '../reconcile/health/checks.ts';
import { Prober } from '../reconcile/health/prober.ts';
import type { Controller } from '../reconcile/loop/controller.ts';
import { SupervisorEventBus } from '../supervisor/events.ts';
import { Collector } from '../supervisor/images/collector.ts';
import { EventFeed } from '../supervisor/jobs/event-feed.ts';
import { logTimelineEntry } from '../supervisor/log-timeline.ts';
import { LoopStatus } from '../supervisor/loop-status.ts';
import { ChangeLooks } from '../supervisor/network/change-looks.ts';
import { Observers } from '../supervisor/observers.ts';
import { Pruning } from '../supervisor/pruning.ts';
import { Pauses } from '../supervisor/requests/pauses.ts';
import { registerTrustJobs } from '../supervisor/requests/trust-jobs.ts';
import { copiesNeeded } from '../supervisor/sources/copies-in-use.ts';
import { StopStage } from '../supervisor/stop-stage.ts';
import { Adoption } from '../supervisor/take-over/take-over.ts';
import { Timeline } from '../supervisor/timeline.ts';
import { createImperative, type Imperative } from './imperative.ts';
import { createController } from './loop.ts';
import type { Opened } from './open.ts';
import { adoptionPorts } from './ports/adoption-ports.ts';
import { garbagePorts } from './ports/garbage-ports.ts';
import { WORKED_ON } from './ports/worked-on.ts';
import { openTrustStore } from './registries.ts';

export interface Wired {
  readonly opened: Opened;
  readonly events: SupervisorEventBus;
  /** The random seed. */
  readonly seed: string;
  readonly timeline: Timeline;
  readonly feed: EventFeed;
  readonly observers: Observers;
  readonly loop: LoopStatus;
  readonly adoption: Adoption;
  readonly controller: Controller;
  readonly prober: Prober;
  readonly pauses: Pauses;
  readonly collector: Collector;
  readonly stopStage: StopStage;
  readonly imperative: Imperative;
  readonly onBug: (error: TsdError) => void;
}

export function wire(opened: Opened): Wired {
  const { config, log, gates, engine, loopPauses, wires, state } = opened;
  const events = new SupervisorEventBus();
  const seed = randomBytes(16).toString('hex');
  const onBug = (error: TsdError): void => log.error({ code: error.code, stack: error.stack }, describeError(error));
  const observers = new Observers({
    ...config,
    version: VERSION,
    timers: systemTimers,
    log,
    onBug,
    pauses: () => loopPauses.view(),
    resolver: () => opened.resolver.view(),
  });
  const { timeline, feed, loop } = createRecords(opened, events, observers);
  const imperative = createImperative(opened, { events, loop, timeline });
  const adoption = createAdoption(opened, timeline);
  engine.onShutdown('adoption', () => adoption.stop(), WORKED_ON);
  engine.onShutdown('metrics and page', () => observers.close(), WORKED_ON);
  const controller = createController({ opened, seed, adoption, loop, timeline, observers, events, imperative });
  engine.onShutdown('reconcile loop', () => controller.stop(), WORKED_ON);
  loop.attach(controller);
  const changes = new ChangeLooks({ clock: systemClock, timers: systemTimers, look: () => controller.resync() });
  engine.onShutdown('looks after changes', () => changes.stop(), WORKED_ON);
  onArrivals(() => changes.changed());
  wires.on('look', (keys) => controller.enqueue(keys));
  const trustStore = openTrustStore(config, state.root, gates.own, log);
  engine.onShutdown('trust store', () => trustStore.close());
  registerTrustJobs(engine, systemClock, trustStore);
  trustStore.begin();
  const prober = createProber(opened, { seed, timeline, events });
  engine.onShutdown('prober', () => prober.stop(), WORKED_ON);
  wires.on('probe', (keys) => prober.review(keys));
  const collector = createCollector(opened);
  engine.onShutdown('collector', () => collector.stop(), WORKED_ON);
  return {
    opened,
    events,
    seed,
    timeline,
    feed,
    observers,
    loop,
    adoption,
    controller,
    prober,
    pauses: createPauses(opened, events),
    collector,
    imperative,
    stopStage: createStopStage(opened, { loop, prober, controller, adoption, timeline, events }),
    onBug,
  };
}

/** What happens is written down: ends of runs, the timeline, the journal of ops, changes of the desired state. */
function createRecords(
  { log, parts, stores: { history }, sources, wires }: Opened,
  events: SupervisorEventBus,
  observers: Observers,
): Pick<Wired, 'timeline' | 'feed' | 'loop'> {
  parts.exec.onExit((exit) => {
    parts.exits.record(exit);
    parts.builds.exited(exit);
  });
  const pruning = new Pruning(history);
  const timeline = new Timeline({
    history,
    pruning,
    containers: parts.containers,
    clock: systemClock,
    generation: () => sources.generation,
    onEntry: (entry) => {
      logTimelineEntry(log, entry);
      feed.noted(entry);
    },
  });
  const feed = new EventFeed({
    timers: systemTimers,
    ring: new EventRing(),
    containers: parts.containers,
    timeline: history.timeline,
    note: (what, cause, message) => timeline.logged(what, cause, message),
  });
  wires.on('jobEnded', (job) => {
    if (job.spec.recorded === true && job.by !== null) timeline.job(job);
  });
  wires.on('resolver', (event) => timeline.resolver(event));
  parts.exits.onExit((exit, key) => {
    if (key) wires.emit('look', [key]);
    if (key) wires.emit('probe', [key]);
    timeline.exit(exit, key);
    events.emit('change');
  });
  const loop = new LoopStatus({
    containers: parts.containers,
    exec: parts.exec,
    history,
    pruning,
    timeline,
    events,
    log,
    clock: systemClock,
    onOp: (result) => observers.op(result),
  });
  wires.on('desired', (next, before) => {
    loop.edited(next.generation);
    wires.emit('look', new Set([...next.resources.keys(), ...before.resources.keys()]));
  });
  return { timeline, feed, loop };
}

function createProber(
  { log, parts, sources, wires }: Opened,
  { seed, timeline, events }: Pick<Wired, 'seed' | 'timeline' | 'events'>,
): Prober {
  const { desired, containers, images, exec, health, network, networks } = parts;
  return new Prober({
    containers,
    images,
    exec,
    health,
    clock: systemClock,
    timers: systemTimers,
    seed,
    check: realChecks({ desired, containers, network, networks, exec }, systemTimers),
    onProblem: (error, key) => log.error({ key }, `health: ${describeError(error)}`),
    onChange: (change) => {
      timeline.health(change, sources.state.resources.get(change.key));
      events.emit('change');
      wires.emit('look', [change.key]);
    },
  });
}

/** How long running ops may delay the stop of containers. */
const OPS_WAIT_MS = 5_000;

function createStopStage(
  { log, service, parts, sources }: Opened,
  wired: Pick<Wired, 'loop' | 'prober' | 'controller' | 'adoption' | 'timeline' | 'events'>,
): StopStage {
  const { loop, prober, controller, adoption, timeline, events } = wired;
  const { containers, exec, network, exits, fileReaders, stopClocks, clock, bootId } = parts;
  const ends = { clock, bootId, containers, exec, exits, fileReaders, stopClocks };
  return new StopStage({
    stops: { containers, exec, ends, withdrawals: { network, containers } },
    desired: () => sources.state,
    quiet: async (why) => {
      loop.shutDown(why);
      prober.stop();
      await within(systemTimers, OPS_WAIT_MS, controller.stop(), undefined);
      await adoption.lastAnswers();
    },
    onStop: (key) => timeline.override(key, 'host-shutdown', loop.ended() ?? ''),
    onEnd: ({ stopped, running, ending }) => {
      events.emit('change');
      const left = running.filter((name) => !ending.includes(name));
      if (running.length === 0) log.info({ stopped }, 'all containers are stopped');
      else
        log.warn({ stopped, left, ending }, 'containers run on; the shims of those that were asked to end see to it');
    },
    patiently: (work) => service.whileWaiting(work),
  });
}

function createAdoption({ parts, log, wires }: Opened, timeline: Timeline): Adoption {
  return new Adoption({
    ...adoptionPorts(parts),
    timers: systemTimers,
    onFound: (run) => timeline.found(run),
    onProblem: (text) => log.error(text),
    onAnswer: (key) => wires.emit('look', [key]),
  });
}

function createPauses({ parts: { containers, exec, fileReaders }, wires }: Opened, events: SupervisorEventBus): Pauses {
  return new Pauses({
    containers,
    exec,
    fileReaders,
    onChange: (key: ResourceKey | null) => {
      events.emit('change');
      if (key === null) return;
      wires.emit('probe', [key]);
      wires.emit('look', [key]);
    },
  });
}

function createCollector({ config, log, engine, parts, stores, sources, kept }: Opened): Collector {
  const { clock, containers, graph, images, imageWork } = parts;
  return new Collector({
    clock,
    garbage: garbagePorts(parts),
    sizes: { graph, imageWork, images },
    logs: containers,
    use: stores.history.images,
    imageWork,
    engine,
    timers: systemTimers,
    log,
    marks: { high: config.gcHigh, low: config.gcLow, budget: config.imageBudget, minAgeMs: config.gcMinAge },
    logBudget: config.logBudget,
    intervalMs: config.gcInterval,
    // What is not certain may need any of it.
    isPaused: () => sources.isUncertain || parts.images.issues.length > 0,
    sweepCopies: () => kept.remove(kept.unused(copiesNeeded({ ...stores, desired: () => sources.state }))),
  });
}
