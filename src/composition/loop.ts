/** The reconcile loop and what carries out its ops. */
import { systemTimers } from '../engine/timers.ts';
import { systemClock } from '../ffi/boot-clock.ts';
import { describeError } from '../model/errors/errors.ts';
import { Executor } from '../reconcile/executor.ts';
import { Controller } from '../reconcile/loop/controller.ts';
import { reachedKeys } from '../reconcile/op-traits.ts';
import { opHandlers } from '../reconcile/ops/handlers.ts';
import { startGate } from '../reconcile/start-gate.ts';
import type { SupervisorEventBus } from '../supervisor/events.ts';
import type { LoopStatus } from '../supervisor/loop-status.ts';
import type { Observers } from '../supervisor/observers.ts';
import type { Adoption } from '../supervisor/take-over/take-over.ts';
import type { Timeline } from '../supervisor/timeline.ts';
import type { Imperative } from './imperative.ts';
import type { Opened } from './open.ts';

/** Number of concurrent ops. Ops mostly wait, for a disk or for a payload to end, and must not block each other. */
const CONCURRENCY = 256;
/** Interval of full passes: the bound on how long drift goes unseen that the kernel does not report (ChangeLooks). */
const RESYNC_MS = 10_000;

export interface LoopParts {
  readonly opened: Opened;
  readonly seed: string;
  readonly adoption: Adoption;
  readonly loop: LoopStatus;
  readonly timeline: Timeline;
  readonly observers: Observers;
  readonly events: SupervisorEventBus;
  readonly imperative: Imperative;
}

export function createController(looped: LoopParts): Controller {
  const { opened, seed, adoption, timeline, observers, events, imperative } = looped;
  const { parts, observing, stores, sources, defaultNetwork, loopPauses, wires, log } = opened;
  const { desired, containers, stops, failures } = parts;
  const { observer, sight } = observing;
  return new Controller({
    desired: () => sources.state,
    observe: (scope) => {
      if (scope !== null) return observer.observeAnswered(scope);
      stores.reserve.refill();
      defaultNetwork.review();
      adoption.askUnknown();
      return observer.observeAnswered(null);
    },
    executor: createExecutor(looped),
    tooEarly: startGate({ desired, containers, stops, sight }),
    failures,
    clock: systemClock,
    timers: systemTimers,
    seed: () => seed,
    onPass: (report) => {
      timeline.pass(report);
      loopPauses.kept(report.scope === null ? 'a pass over everything' : 'a pass', report.ms);
      observers.pass(report, systemClock.now().wallMs);
      if (report.scope === null) imperative.containers.sweep();
      events.emit('change');
      wires.emit('probe', report.scope);
    },
    onRequeue: ({ key, atBootMs, why }, now) =>
      log.debug({ key: key ?? 'all', inMs: Math.round((atBootMs ?? now) - now), because: why }, 'will be looked at'),
    onDefect: (error, keys) => {
      observers.defect();
      log.error({ keys, stack: error.stack }, describeError(error));
    },
    resyncMs: RESYNC_MS,
  });
}

function createExecutor({ opened: { parts, engine, wires }, loop }: LoopParts): Executor {
  return new Executor({
    handlers: opHandlers(parts),
    engine,
    journal: loop.journal,
    clock: systemClock,
    timers: systemTimers,
    concurrency: CONCURRENCY,
    onEvent: (event) => {
      loop.onOpEvent(event);
      if (event.type === 'ended') wires.emit('probe', reachedKeys(event.result.op));
    },
  });
}
