import { setMaxListeners } from 'node:events';
import type { Clock, Timers } from '../../model/clock.ts';
import type { DesiredState } from '../../model/desired.ts';
import { TsdError, toTsdError } from '../../model/errors/errors.ts';
import type { ObservedState } from '../../model/observed.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { baseKey } from '../../model/update.ts';
import type { Executor, OpResult } from '../executor.ts';
import type { Hold, Op, Plan } from '../op.ts';
import { plan } from '../plan/plan.ts';
import { type Occasion, type Requeue, requeues } from '../plan/requeue.ts';
import type { Relations } from '../plan/scope.ts';
import { relatedKeys, relationsOf } from '../plan/scope.ts';
import { KeyMemory } from './key-memory.ts';
import { OpsInFlight, specHashIn } from './ops-in-flight.ts';
import type { OpFailures } from './retry-tracker.ts';
import { WorkQueue } from './work-queue.ts';

type Scope = ReadonlySet<ResourceKey> | null;

/** The result of one reconcile pass. */
export interface PassReport {
  readonly pass: number;
  /** The keys of the pass; null for all. */
  readonly scope: Scope;
  readonly plan: Plan;
  /** Duration of observing and planning, without the ops. */
  readonly ms: number;
  readonly results: readonly OpResult[];
}

export interface ControllerPorts {
  /** Returns the current generation: the same object until it changes. */
  desired(): DesiredState;
  /** Returns the observed state of at least these keys (null: all) and of the users of keys that are to be removed. */
  observe(scope: Scope): ObservedState | Promise<ObservedState>;
  readonly executor: Executor;
  /** Returns what an op that is about to start still waits for, or null. An op that waits is skipped and planned again. */
  tooEarly?(op: Op): string | null;
  readonly failures: OpFailures;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Returns a random string, constant for the life of the process. */
  seed(): string;
  /** Called once per pass, after its ops have ended. */
  onPass(report: PassReport): void;
  /** Called for each requeue of a key (null: all keys). */
  onRequeue?(requeue: Requeue, nowBootMs: number): void;
  /** Called for an error outside the ops: a failed look, plan or write. */
  onDefect(error: TsdError, keys: readonly ResourceKey[]): void;
  /** Interval of full passes. */
  readonly resyncMs: number;
}

/**
 * The level-triggered reconcile loop. A pass takes the due keys, observes them with their relations, plans, and starts the
 * ops without waiting for them. A key with ops in flight is not planned; it is requeued when its ops have ended.
 */
export class Controller {
  readonly #ports: ControllerPorts;
  readonly #seed: string;
  readonly #queue: WorkQueue;
  readonly #memory: KeyMemory;
  readonly #inFlight = new OpsInFlight();
  readonly #executions = new Set<Promise<void>>();
  readonly #abort = new AbortController();
  #waiters: (() => void)[] = [];
  #relations: { readonly of: DesiredState; readonly relations: Relations } | undefined;
  #cancelResync = () => {};
  #everything = false;
  #pumping = false;
  /** Of the passes that follow one another now. */
  #drained: Promise<void> = Promise.resolve();
  #started = false;
  #stopped = false;
  #passes = 0;
  /** Failed observations in a row. */
  #blindLooks = 0;

  constructor(ports: ControllerPorts) {
    this.#ports = ports;
    this.#seed = ports.seed();
    // Every teardown in flight adds a listener.
    setMaxListeners(0, this.#abort.signal);
    this.#memory = new KeyMemory({
      failures: ports.failures,
      clock: ports.clock,
      specHash: (key) => specHashIn(ports.desired(), key),
      onDefect: (error, keys) => ports.onDefect(error, keys),
    });
    this.#queue = new WorkQueue({ clock: ports.clock, timers: ports.timers, onDue: () => this.#pump() });
  }

  /**
   * Starts the loop with a full pass, repeated every `resyncMs`. No pass runs before, even with queued keys: the runs of an
   * earlier supervisor may not be adopted yet.
   */
  start(): void {
    this.#started = true;
    this.#scheduleResync();
    this.resync();
  }

  /** Queues keys for a pass. Only the key counts, not the event. */
  enqueue(keys: Iterable<ResourceKey>): void {
    if (this.#stopped) return;
    for (const key of keys) {
      // A successor is planned with its container.
      const owner = baseKey(key);
      if (!this.#inFlight.stir(key) && !this.#inFlight.stir(owner)) this.#queue.add(owner);
    }
  }

  /** Queues a full pass. */
  resync(): void {
    if (this.#stopped) return;
    this.#everything = true;
    this.#pump();
  }

  /** Returns why the latest pass left the key unchanged, or undefined. */
  hold(key: ResourceKey): Hold | undefined {
    return this.#memory.hold(key);
  }

  /** Returns the running op of a key, or the next one of its chain. */
  inFlight(key: ResourceKey): Op | undefined {
    return this.#inFlight.next(key);
  }

  /** Reports whether ops on resources of these apps are in flight. */
  isWorkingOn(apps: ReadonlySet<string>): boolean {
    return [...this.#inFlight.keys()].some((key) => apps.has(parseKey(key).app));
  }

  /** Keys that are not planned now: with ops in flight, or parked. */
  get busy(): ReadonlySet<ResourceKey> {
    return new Set([...this.#inFlight.keys(), ...this.#memory.parked()]);
  }

  /** Number of queued keys, due or not. */
  get queued(): number {
    return this.#queue.size;
  }

  /** Number of keys with ops in flight. */
  get working(): number {
    return this.#inFlight.size;
  }

  /** Resolves when no key is due and no op is in flight. Keys queued for a later time do not count. */
  settled(): Promise<void> {
    if (this.#isSettled()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Starts no more passes, cancels ops that have not started, and resolves when the pass and all ops in flight have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelResync();
    this.#queue.clear();
    const hint = 'The next supervisor continues it.';
    this.#abort.abort(new TsdError('TSD_CALLED_OFF', 'this supervisor ends', { hint }));
    await this.#drained;
    await Promise.all(this.#executions);
  }

  #scheduleResync(delayMs = this.#ports.resyncMs): void {
    this.#cancelResync();
    this.#cancelResync = this.#ports.timers.after(delayMs, () => {
      this.#scheduleResync();
      this.resync();
    });
  }

  #isSettled(): boolean {
    return !this.#pumping && this.#inFlight.size === 0;
  }

  #announceSettled(): void {
    if (!this.#isSettled()) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter();
  }

  #pump(): void {
    if (this.#pumping || !this.#started || this.#stopped) return;
    this.#pumping = true;
    this.#drained = this.#drain();
  }

  async #drain(): Promise<void> {
    // Keys enqueued in the same tick share one pass.
    await Promise.resolve();
    while (!this.#stopped) {
      const keys = this.#queue.takeDue();
      const everything = this.#everything;
      this.#everything = false;
      if (!everything && keys.length === 0) break;
      await this.#look(everything ? null : keys);
    }
    this.#pumping = false;
    this.#announceSettled();
  }

  /** Runs one pass over the keys. After a defect it bisects them until the defective key is found and parked. */
  async #look(keys: readonly ResourceKey[] | null): Promise<void> {
    try {
      await this.#pass(keys === null ? null : relatedKeys(keys, this.#currentRelations()));
      this.#blindLooks = 0;
    } catch (thrown) {
      const error = toTsdError(thrown);
      const all = keys ?? [...this.#ports.desired().resources.keys()];
      this.#ports.onDefect(error, all);
      if (error.class === 'bug') await this.#isolate(all);
      else {
        const [times, seed, resyncMs] = [++this.#blindLooks, this.#seed, this.#ports.resyncMs];
        this.#requeue({ type: 'blind', keys, errorClass: error.class, times, seed, resyncMs });
      }
    }
  }

  /** Requeues keys as {@link requeues} decides. Does nothing once the loop has stopped. */
  #requeue(occasion: Occasion): void {
    if (this.#stopped) return;
    const now = this.#ports.clock.now().bootMs;
    for (const requeue of requeues(occasion, now)) {
      const { key, atBootMs } = requeue;
      if (key === null) this.#scheduleResync((atBootMs ?? now) - now);
      else if (atBootMs === null) this.enqueue([key]);
      else this.#queue.add(key, atBootMs);
      this.#ports.onRequeue?.(requeue, now);
    }
  }

  async #isolate(keys: readonly ResourceKey[]): Promise<void> {
    const middle = Math.ceil(keys.length / 2);
    if (keys.length === 1) await this.#lookAlone(keys);
    else for (const half of [keys.slice(0, middle), keys.slice(middle)]) await this.#lookAlone(half);
  }

  /** Runs a pass without the dependents of the keys, since the defect may be theirs. */
  async #lookAlone(keys: readonly ResourceKey[]): Promise<void> {
    if (keys.length === 0) return;
    try {
      await this.#pass(new Set(keys));
    } catch (thrown) {
      const [only] = keys;
      if (keys.length === 1 && only !== undefined) this.#park(only, toTsdError(thrown));
      else await this.#isolate(keys);
    }
  }

  #park(key: ResourceKey, error: TsdError): void {
    this.#requeue({ type: 'held', holds: [this.#memory.park(key, error)] });
    this.#ports.onDefect(error, [key]);
  }

  async #pass(scope: Scope): Promise<void> {
    this.#memory.unpark();
    const ports = this.#ports;
    const relations = this.#currentRelations();
    const desired = ports.desired();
    this.#inFlight.cancelUnwanted(desired);
    // Read before observing: the result of an op that ends meanwhile may be missing in the observation.
    const busy = this.busy;
    const startedAt = ports.clock.now().bootMs;
    const looked = ports.observe(scope);
    // A synchronous observation is planned in the same tick, so that nothing changes in between.
    const observed = looked instanceof Promise ? await looked : looked;
    if (this.#stopped) return;
    const input = { desired, observed, now: ports.clock.now(), seed: this.#seed, scope, busy };
    const made = plan(input, relations);
    this.#carryOut(made, scope, desired, busy, ports.clock.now().bootMs - startedAt);
  }

  #carryOut(made: Plan, scope: Scope, desired: DesiredState, busy: ReadonlySet<ResourceKey>, ms: number): void {
    const byKey = new Map<ResourceKey, Op[]>();
    for (const op of made.ops) byKey.set(op.key, [...(byKey.get(op.key) ?? []), op]);
    this.#memory.planned(made, scope, byKey, busy);
    this.#requeue({ type: 'held', holds: made.holds });
    for (const [key, ops] of byKey) this.#inFlight.begin(key, ops, desired);
    const pass = ++this.#passes;
    if (made.ops.length === 0) {
      this.#ports.onPass({ pass, scope, plan: made, ms, results: [] });
      return;
    }
    const execution = this.#ports.executor
      .execute(made, this.#abort.signal, {
        reconcileId: `${made.generation}.${pass}`,
        obsolete: (op) =>
          this.#inFlight.isFor(op.key, this.#ports.desired())
            ? (this.#ports.tooEarly?.(op) ?? null)
            : 'its declaration changed meanwhile',
        signalOf: ({ key }) => this.#inFlight.signalOf(key),
        onStart: (op) => this.#inFlight.started(op),
        onEnd: (result) => this.#opEnded(result),
      })
      .then((results) => {
        this.#executions.delete(execution);
        this.#ports.onPass({ pass, scope, plan: made, ms, results });
      })
      .catch((thrown: unknown) => this.#ports.onDefect(toTsdError(thrown), [...byKey.keys()]));
    this.#executions.add(execution);
  }

  #opEnded(result: OpResult): void {
    const ended = this.#inFlight.ended(result);
    if (ended === null) return;
    const { key, acted, stirred } = ended;
    const retryAtBootMs = this.#memory.ended(ended, { cancelled: this.#abort.signal.aborted });
    this.#requeue({
      type: 'ended',
      key,
      failed: ended.error !== null,
      acted,
      stirred,
      retryAtBootMs,
      failure: this.#ports.failures.get(key),
      users: new Set(this.#currentRelations().neededBy(key)),
      holds: this.#memory.holds(),
    });
    this.#announceSettled();
  }

  #currentRelations(): Relations {
    const desired = this.#ports.desired();
    if (this.#relations?.of !== desired) this.#relations = { of: desired, relations: relationsOf(desired) };
    return this.#relations.relations;
  }
}
