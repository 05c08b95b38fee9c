import PQueue from 'p-queue';
import type { Engine } from '../engine/engine.ts';
import type { Job } from '../engine/job.ts';
import type { Clock, Timers } from '../model/clock.ts';
import type { TsdError } from '../model/errors/errors.ts';
import { toTsdError } from '../model/errors/errors.ts';
import type { ProgressPart, ProgressSink } from '../model/progress.ts';
import type { ResourceKey } from '../model/resource.ts';
import type { Op, OpOf, OpType, Plan } from './op.ts';
import { OP_JOBS } from './op-jobs.ts';
import { OP_TRAITS } from './op-traits.ts';

export interface OpContext {
  /**
   * Aborted when the pass is cancelled; of ops that finish all the same, when the time they then still have is over.
   */
  readonly signal: AbortSignal;
  /** Says how far it is; `total` is null where that is unknown. */
  readonly progress: ProgressSink;
}

/** Carries an op out. Idempotent: after a crash the same op may come again. Throws TsdError; never retries. */
type OpHandler<T extends OpType> = (op: OpOf<T>, context: OpContext) => Promise<void>;
export type OpHandlers = { readonly [T in OpType]: OpHandler<T> };

export interface OpResult {
  readonly op: Op;
  readonly status: 'done' | 'failed' | 'skipped';
  readonly ms: number;
  /** Why it failed; null otherwise. */
  readonly error: TsdError | null;
  /** Why it was skipped: `start container/blog/db failed`, `cancelled`; null otherwise. */
  readonly skipped: string | null;
}

/** The durable record of ops; both calls return when it is written. */
export interface Journal {
  begin(op: Op, generation: number, reconcileId: string): void;
  /** Called once for each begun op, and for skipped ones without a begin. */
  end(result: OpResult, generation: number): void;
}

export type OpEvent =
  | { readonly type: 'started'; readonly op: Op }
  | {
      readonly type: 'progress';
      readonly op: Op;
      readonly message: string;
      readonly current: number;
      readonly total: number | null;
      readonly part?: ProgressPart;
    }
  | { readonly type: 'ended'; readonly result: OpResult; readonly reconcileId: string };

export interface ExecutorOptions {
  readonly handlers: OpHandlers;
  readonly engine: Engine;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Ops at the same time, over all plans. */
  readonly concurrency: number;
  readonly onEvent?: (event: OpEvent) => void;
}

/** Follows one plan. */
export interface PlanWatcher {
  /** The pass that made the plan, for journal and log; left out, its generation. */
  readonly reconcileId?: string;
  /**
   * Why the op should not be carried out after all: what it was planned for is not wanted any more, or is not there yet.
   * Asked just before it begins; it is then skipped.
   */
  readonly obsolete?: (op: Op) => string | null;
  /** Aborted when the op is not wanted any more although it has begun; null for ops that end soon anyway. */
  readonly signalOf?: (op: Op) => AbortSignal | null;
  readonly onStart?: (op: Op) => void;
  readonly onEnd?: (result: OpResult) => void;
}

interface Work {
  readonly op: Op;
  readonly context: OpContext;
}

/** Whether a full disk is no reason to leave it out. The stop before a start makes no room: the start would fail. */
function makesRoom(op: Op): boolean {
  return OP_TRAITS[op.op].makesRoom && !(op.op === 'container.stop' && op.restart);
}

/** What an op that finishes when its pass is cancelled still has. */
const FINISH_GRACE_MS = 10_000;

/** Carries plans out; takes no decision of its own. Each op is a job of the engine, named after its type. */
export class Executor {
  readonly #options: ExecutorOptions;
  readonly #queue: PQueue;
  /** End of the latest op of a key, over all plans: one op in flight per key. */
  readonly #tails = new Map<ResourceKey, Promise<void>>();

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#queue = new PQueue({ concurrency: options.concurrency });
    for (const spec of OP_JOBS) {
      const handler = options.handlers[spec.name as OpType] as (op: Op, context: OpContext) => Promise<void>;
      options.engine.register(spec, (job: Job) => {
        const { op, context } = job.payload as Work;
        return handler(op, context).then(() => undefined);
      });
    }
  }

  /**
   * Carries out the ops of a plan, each after those it depends on; ops that depend on a failed one are skipped. Resolves
   * with one result for each op, in the order they ended, and never rejects.
   */
  execute(plan: Plan, signal: AbortSignal, watcher: PlanWatcher = {}): Promise<readonly OpResult[]> {
    return new Promise((resolve) => {
      const run = new Run(plan, signal, this.#options, {
        ...watcher,
        launch: (op, task) => this.#launch(op.key, task),
        onFinished: resolve,
      });
      run.begin();
    });
  }

  /** Runs a task when the key's earlier op has ended and the queue has room. */
  #launch(key: ResourceKey, task: () => Promise<void>): void {
    const earlier = this.#tails.get(key) ?? Promise.resolve();
    const tail = earlier.then(() => this.#queue.add(task));
    this.#tails.set(key, tail);
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
  }
}

interface RunHooks extends PlanWatcher {
  readonly launch: (op: Op, task: () => Promise<void>) => void;
  readonly onFinished: (results: readonly OpResult[]) => void;
}

/** One plan on its way. */
class Run {
  readonly #plan: Plan;
  readonly #signal: AbortSignal;
  readonly #options: ExecutorOptions;
  readonly #hooks: RunHooks;
  readonly #results: OpResult[] = [];
  readonly #waitsFor = new Map<string, number>();
  readonly #dependents = new Map<string, Op[]>();
  /** Keys of which an op was carried out: a teardown that began on them is finished, cancelled or not. */
  readonly #begun = new Set<ResourceKey>();

  constructor(plan: Plan, signal: AbortSignal, options: ExecutorOptions, hooks: RunHooks) {
    this.#plan = plan;
    this.#signal = signal;
    this.#options = options;
    this.#hooks = hooks;
  }

  begin(): void {
    if (this.#plan.ops.length === 0) this.#hooks.onFinished([]);
    for (const op of this.#plan.ops) {
      this.#waitsFor.set(op.id, op.dependsOn.length);
      for (const id of op.dependsOn) {
        const dependents = this.#dependents.get(id);
        if (dependents) dependents.push(op);
        else this.#dependents.set(id, [op]);
      }
    }
    for (const op of this.#plan.ops) if (op.dependsOn.length === 0) this.#launch(op);
  }

  get #reconcileId(): string {
    return this.#hooks.reconcileId ?? String(this.#plan.generation);
  }

  #launch(op: Op): void {
    this.#hooks.launch(op, () => this.#perform(op));
  }

  async #perform(op: Op): Promise<void> {
    const finishes = OP_TRAITS[op.op].finishesWhenCancelled && this.#begun.has(op.key);
    if (this.#signal.aborted && !finishes) {
      this.#end(this.#skip(op, 'cancelled'));
      return;
    }
    const obsolete = this.#hooks.obsolete?.(op) ?? null;
    if (obsolete !== null) {
      this.#end(this.#skip(op, obsolete));
      return;
    }
    this.#begun.add(op.key);
    const { clock } = this.#options;
    const startedAt = clock.now().bootMs;
    const error = await this.#carryOut(op);
    const ms = clock.now().bootMs - startedAt;
    this.#end({ op, status: error ? 'failed' : 'done', ms, error, skipped: null });
  }

  async #carryOut(op: Op): Promise<TsdError | null> {
    const { engine, journal, onEvent } = this.#options;
    const { signal, release } = this.#signalFor(op);
    try {
      this.#writeDown(op, () => journal.begin(op, this.#plan.generation, this.#reconcileId));
      this.#hooks.onStart?.(op);
      onEvent?.({ type: 'started', op });
      const progress: OpContext['progress'] = (message, current, total, part) => {
        job.stage = message;
        onEvent?.({ type: 'progress', op, message, current, total, ...(part && { part }) });
      };
      const payload: Work = { op, context: { signal, progress } };
      const job = engine.job(op.op, [op.key], { payload });
      await job.run();
      return null;
    } catch (thrown) {
      return toTsdError(thrown).withContext({ key: op.key, source: op.cause.source });
    } finally {
      release();
    }
  }

  #signalFor(op: Op): { readonly signal: AbortSignal; readonly release: () => void } {
    if (!OP_TRAITS[op.op].finishesWhenCancelled) {
      const own = this.#hooks.signalOf?.(op) ?? null;
      return { signal: own === null ? this.#signal : AbortSignal.any([this.#signal, own]), release: () => {} };
    }
    const controller = new AbortController();
    let cancel = () => {};
    const countDown = () => {
      cancel = this.#options.timers.after(FINISH_GRACE_MS, () => controller.abort());
    };
    if (this.#signal.aborted) countDown();
    else this.#signal.addEventListener('abort', countDown, { once: true });
    return {
      signal: controller.signal,
      release: () => {
        this.#signal.removeEventListener('abort', countDown);
        cancel();
      },
    };
  }

  #skip(op: Op, skipped: string): OpResult {
    return { op, status: 'skipped', ms: 0, error: null, skipped };
  }

  /** @throws what kept an op from being written down, unless it {@link makesRoom} where there is none. */
  #writeDown(op: Op, write: () => void): void {
    try {
      write();
    } catch (thrown) {
      if (!makesRoom(op) || toTsdError(thrown).code !== 'TSD_DISK_FULL') throw thrown;
    }
  }

  /** An op whose end cannot be written down counts as failed: it will be looked at again. */
  #record(result: OpResult): OpResult {
    try {
      this.#writeDown(result.op, () => this.#options.journal.end(result, this.#plan.generation));
      return result;
    } catch (thrown) {
      return { ...result, status: 'failed', error: result.error ?? toTsdError(thrown), skipped: null };
    }
  }

  #end(ended: OpResult): void {
    const { onEvent } = this.#options;
    const result = this.#record(ended);
    this.#results.push(result);
    onEvent?.({ type: 'ended', result, reconcileId: this.#reconcileId });
    this.#hooks.onEnd?.(result);
    for (const dependent of this.#dependents.get(result.op.id) ?? []) this.#proceed(dependent, result);
    if (this.#results.length === this.#plan.ops.length) this.#hooks.onFinished(this.#results);
  }

  /** A dependent learns how one of its ops ended. */
  #proceed(op: Op, { op: earlier, status, skipped }: OpResult): void {
    const left = this.#waitsFor.get(op.id) ?? 0;
    if (left < 0) return;
    if (status === 'done') {
      this.#waitsFor.set(op.id, left - 1);
      if (left === 1) this.#launch(op);
    } else {
      this.#waitsFor.set(op.id, -1);
      this.#end(this.#skip(op, skipped ?? `${earlier.id} failed`));
    }
  }
}
