/** What the loop last decided and is doing now, for views and waiting clients; journal and log of its ops. */
import type { ExecDriver } from '../drivers/contract/exec.ts';
import { type Clock, formatTime } from '../model/clock.ts';
import { describeError, toTsdError } from '../model/errors/errors.ts';
import type { ResourceKey } from '../model/resource.ts';
import { HOLD_TRAITS } from '../model/status/holds.ts';
import type { OpEvent, Journal as OpJournal, OpResult } from '../reconcile/executor.ts';
import type { Controller } from '../reconcile/loop/controller.ts';
import type { Hold, Op } from '../reconcile/op.ts';
import type { ContainerStore } from '../state/containers/containers.ts';
import type { History } from '../state/history/history.ts';
import type { SupervisorEventBus } from './events.ts';
import type { Logger } from './log.ts';
import type { Pruning } from './pruning.ts';
import type { Timeline } from './timeline.ts';
import { AFTER_SHUTDOWN } from './views/hints.ts';
import type { LoopState } from './views/view-input.ts';

export interface LoopStatusOptions {
  readonly containers: Pick<ContainerStore, 'byKey'>;
  readonly exec: Pick<ExecDriver, 'running'>;
  readonly history: History;
  readonly timeline: Timeline;
  readonly events: SupervisorEventBus;
  readonly log: Logger;
  readonly clock: Clock;
  readonly pruning: Pruning;
  readonly onOp?: (result: OpResult) => void;
}

const JOURNAL_STATUS = { done: 'succeeded', failed: 'failed', skipped: 'skipped' } as const;

export class LoopStatus implements LoopState {
  readonly #options: LoopStatusOptions;
  /** Journal entries of ops that have begun. */
  readonly #entries = new Map<Op, number>();
  /** Why it has ended. */
  #ended: string | null = null;
  #unavailable: ReadonlyMap<string, string> = new Map();
  #controller: Controller | null = null;

  constructor(options: LoopStatusOptions) {
    this.#options = options;
    try {
      const interrupted = options.history.journal.interruptUnfinished(options.clock.now().wallMs);
      for (const entry of interrupted) options.timeline.interrupted(entry);
    } catch (thrown) {
      const error = toTsdError(thrown);
      if (error.code !== 'TSD_DISK_FULL') throw error;
      options.log.warn({ code: error.code }, `ops that were under way stay open in the journal: ${error.message}`);
    }
  }

  attach(controller: Controller): void {
    this.#controller = controller;
  }

  setUnavailable(containers: ReadonlyMap<string, string>): void {
    this.#unavailable = containers;
  }

  enqueue(keys: Iterable<ResourceKey>): void {
    this.#controller?.enqueue(keys);
  }

  /** From now on nothing is done any more, and every container that does not run says so. @param why before the time */
  shutDown(why: string): void {
    const at = formatTime(this.#options.clock.now().wallMs).replace(/\.\d+/, '');
    this.#ended ??= `${why} at ${at}`;
  }

  /** The desired state changed. An edit of a file has no client to which its effect could be reported. */
  edited(generation: number): void {
    if (this.#ended !== null) this.#options.timeline.postponed(generation, this.#ended);
  }

  ended(): string | null {
    return this.#ended;
  }

  hold(key: ResourceKey): Hold | undefined {
    const decided = this.#controller?.hold(key);
    if (this.#ended === null || !key.startsWith('container/')) return decided;
    if (decided && HOLD_TRAITS[decided.reason].rest !== null) return decided;
    const { containers, exec } = this.#options;
    const record = containers.byKey(key);
    if (record && exec.running(record.id)) return decided;
    return { key, reason: 'shut-down', message: this.#ended, hint: AFTER_SHUTDOWN, untilBootMs: null };
  }

  inFlight(key: ResourceKey): Op | undefined {
    return this.#controller?.inFlight(key);
  }

  isWorkingOn(apps: ReadonlySet<string>): boolean {
    return this.#controller?.isWorkingOn(apps) ?? false;
  }

  unavailable(id: string): string | undefined {
    return this.#unavailable.get(id);
  }

  readonly journal: OpJournal = {
    begin: (op, _generation, reconcileId) => {
      const { journal } = this.#options.history;
      const entry = { reconcileId, opId: op.id, op: op.op, key: op.key, cause: op.cause.message };
      this.#entries.set(op, journal.begin(entry, this.#options.clock.now().wallMs));
      this.#options.pruning.wrote();
    },
    end: (result, generation) => {
      this.#options.timeline.op(result, generation);
      const entry = this.#entries.get(result.op);
      if (entry === undefined) return;
      this.#entries.delete(result.op);
      const error = result.error?.toJSON() ?? null;
      this.#options.history.journal.end(entry, JOURNAL_STATUS[result.status], error, this.#options.clock.now().wallMs);
    },
  };

  onOpEvent(event: OpEvent): void {
    const { events } = this.#options;
    switch (event.type) {
      case 'started':
        events.emit('op', { type: 'op', id: event.op.id, resource: event.op.key, status: 'started', ms: 0 });
        break;
      case 'progress': {
        const { op, message, current, total, part } = event;
        events.emit('op', { type: 'progress', resource: op.key, message, current, total, ...(part && { part }) });
        return;
      }
      case 'ended':
        this.#options.onOp?.(event.result);
        this.#opEnded(event.result, event.reconcileId);
        break;
    }
    events.emit('change');
  }

  #opEnded({ op, status, ms, error, skipped }: OpResult, reconcile: string): void {
    const { events, log } = this.#options;
    const cause = op.cause.message;
    const fields = { reconcile, key: op.key, op: op.op, opId: op.id, ms: Math.round(ms * 10) / 10, cause };
    if (error) {
      // Cancellation was requested.
      const level = error.code === 'TSD_CALLED_OFF' ? 'info' : 'error';
      log[level]({ ...fields, code: error.code, hint: error.hint }, describeError(error));
    } else if (status === 'skipped') log.warn({ ...fields, because: skipped }, `skipped ${op.id}`);
    else log.info(fields, op.id);
    events.emit('op', {
      type: 'op',
      id: op.id,
      resource: op.key,
      status,
      ms: Math.round(ms * 10) / 10,
      ...(error && { error: error.toJSON() }),
    });
  }
}
