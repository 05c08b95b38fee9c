import { setMaxListeners } from 'node:events';
import type { Clock, Timers } from '../model/clock.ts';
import type { DesiredState } from '../model/desired.ts';
import { describeError, TsdError, toTsdError } from '../model/errors/errors.ts';
import type { ObservedState } from '../model/observed.ts';
import { parseKey, type ResourceKey } from '../model/resource.ts';
import { baseKey, nextKey, oldKey } from '../model/update.ts';
import type { Executor, OpResult } from './executor.ts';
import type { Hold, Op, Plan } from './op.ts';
import { type EndedOps, OpsInFlight, specHashIn } from './ops-in-flight.ts';
import { plan } from './plan/plan.ts';
import { type Occasion, type Requeue, requeues } from './plan/requeue.ts';
import type { Relations } from './plan/scope.ts';
import { relatedKeys, relationsOf } from './plan/scope.ts';
import type { OpFailures } from './retry-tracker.ts';
import { RetryTracker } from './retry-tracker.ts';
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

/** How long a key with a defect is parked: the longest back-off of a failed op. */
const PARKED_MS = 600_000;

/** Errors of cancelled ops: they are not failures. */
const GIVEN_UP: ReadonlySet<string> = new Set(['TSD_ENGINE_SHUTDOWN', 'TSD_CALLED_OFF']);

/**
 * The level-triggered reconcile loop. A pass takes the due keys, observes them with their relations, plans, and starts the
 * ops without waiting for them. A key with ops in flight is not planned; it is requeued when its ops have ended.
 */
export class Controller {
  readonly #ports: ControllerPorts;
  readonly #seed: string;
  readonly #queue: WorkQueue;
  readonly #retries: RetryTracker;
  readonly #inFlight = new OpsInFlight();
  readonly #holds = new Map<ResourceKey, Hold>();
  /** Keys whose planning failed by a defect, with the spec hash and the end of the parking time. */
  readonly #parked = new Map<ResourceKey, { readonly specHash: string; readonly untilBootMs: number }>();
  readonly #executions = new Set<Promise<void>>();
  readonly #calledOff = new AbortController();
  #waiters: (() => void)[] = [];
  #relations: { readonly of: DesiredState; readonly relations: Relations } | undefined;
  #cancelResync = () => {};
  #everything = false;
  #pumping = false;
  #started = false;
  #stopped = false;
  #passes = 0;
  /** Failed observations in a row. */
  #blindLooks = 0;

  constructor(ports: ControllerPorts) {
    this.#ports = ports;
    this.#seed = ports.seed();
    // Every teardown in flight adds a listener.
    setMaxListeners(0, this.#calledOff.signal);
    this.#retries = new RetryTracker(ports.failures);
    this.#queue = new WorkQueue({ clock: ports.clock, timers: ports.timers, onDue: () => this.#pump() });
  }

  /**
   * Starts the loop with a full pass, repeated every `resyncMs`. No pass runs before, whatever is enqueued: the runs of an
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
    return this.#holds.get(key);
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
    return new Set([...this.#inFlight.keys(), ...this.#parked.keys()]);
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

  /** Starts no more passes, cancels ops that have not started, and resolves when all ops in flight have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelResync();
    this.#queue.clear();
    const hint = 'The next supervisor continues it.';
    this.#calledOff.abort(new TsdError('TSD_CALLED_OFF', 'this supervisor ends', { hint }));
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
    void this.#drain();
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
    const untilBootMs = this.#ports.clock.now().bootMs + PARKED_MS;
    this.#parked.set(key, { specHash: this.#specHash(key), untilBootMs });
    const message = `defect in tsdocker: ${describeError(error)}`;
    const hold: Hold = { key, reason: 'failed', message, untilBootMs };
    this.#holds.set(key, hold);
    this.#requeue({ type: 'held', holds: [hold] });
    this.#ports.onDefect(error, [key]);
  }

  /** Releases parked keys whose spec has changed or whose time is over. */
  #unpark(): void {
    const { bootMs } = this.#ports.clock.now();
    for (const [key, { specHash, untilBootMs }] of this.#parked) {
      if (specHash === this.#specHash(key) && bootMs < untilBootMs) continue;
      this.#parked.delete(key);
      this.#holds.delete(key);
    }
  }

  async #pass(scope: Scope): Promise<void> {
    this.#unpark();
    const ports = this.#ports;
    const relations = this.#currentRelations();
    const desired = ports.desired();
    this.#inFlight.callOffUnwanted(desired);
    // Read before observing: the result of an op that ends meanwhile may be missing in the observation.
    const busy = this.busy;
    const startedAt = ports.clock.now().bootMs;
    const looked = ports.observe(scope);
    // A synchronous observation is planned in the same tick, so that nothing changes in between.
    const observed = looked instanceof Promise ? await looked : looked;
    const input = { desired, observed, now: ports.clock.now(), seed: this.#seed, scope, busy };
    const made = plan(input, relations);
    this.#carryOut(made, scope, desired, busy, ports.clock.now().bootMs - startedAt);
  }

  #carryOut(made: Plan, scope: Scope, desired: DesiredState, busy: ReadonlySet<ResourceKey>, ms: number): void {
    const byKey = new Map<ResourceKey, Op[]>();
    for (const op of made.ops) byKey.set(op.key, [...(byKey.get(op.key) ?? []), op]);
    this.#takeOverHolds(made, scope, byKey, busy);
    for (const key of made.forgiven) this.#book(key, () => this.#retries.forgive(key));
    for (const [key, ops] of byKey) this.#inFlight.begin(key, ops, desired);
    const pass = ++this.#passes;
    if (made.ops.length === 0) {
      this.#ports.onPass({ pass, scope, plan: made, ms, results: [] });
      return;
    }
    const execution = this.#ports.executor
      .execute(made, this.#calledOff.signal, {
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

  #takeOverHolds(
    made: Plan,
    scope: Scope,
    acted: ReadonlyMap<ResourceKey, readonly Op[]>,
    busy: ReadonlySet<ResourceKey>,
  ): void {
    const held = new Map(made.holds.map((hold) => [hold.key, hold]));
    // Keys without a hold or failure have nothing to update. A successor's failure is cleared with its container.
    const remembered = scope === null ? [...this.#holds.keys(), ...[...this.#retries.keys()].map(baseKey)] : [];
    for (const key of scope ?? new Set(remembered)) {
      if (this.#parked.has(key)) continue;
      const isQuiet = (one: ResourceKey) => !acted.has(one) && !busy.has(one) && !held.has(one);
      // The next successor is a new container. Holds of a successor are reported on its container.
      const beside = key.startsWith('container/') ? [oldKey(key), ...(isQuiet(key) ? [nextKey(key)] : [])] : [];
      for (const one of [key, ...beside]) {
        this.#holds.delete(one);
        if (isQuiet(one) && this.#retries.concerns(one)) this.#book(one, () => this.#retries.quiet(one));
      }
    }
    for (const [key, hold] of held) this.#holds.set(key, hold);
    this.#requeue({ type: 'held', holds: made.holds });
  }

  #opEnded(result: OpResult): void {
    const ended = this.#inFlight.ended(result);
    if (ended === null) return;
    const { key, acted, stirred } = ended;
    const retryAtBootMs = this.#remember(ended);
    this.#requeue({
      type: 'ended',
      key,
      failed: ended.error !== null,
      acted,
      stirred,
      retryAtBootMs,
      failure: this.#ports.failures.get(key),
      users: new Set(this.#currentRelations().neededBy(key)),
      holds: this.#holds.values(),
    });
    this.#announceSettled();
  }

  /** Records the outcome of a key's ops. Returns the time of the retry on the boot clock, or null when there is none. */
  #remember({ key, ops, error, failed, triedHash, complete, unwanted }: EndedOps): number | null {
    const now = this.#ports.clock.now();
    if (error === null) {
      if (complete) this.#book(key, () => this.#retries.succeeded(key, ops, triedHash, now));
      return null;
    }
    if (unwanted || GIVEN_UP.has(error.code) || this.#calledOff.signal.aborted) return null;
    const { class: kind, hint } = error;
    const failure = { class: kind, message: describeError(error), hint, ...(failed && { op: failed.op }) };
    return this.#book(key, () => this.#retries.failed(key, failure, triedHash, now));
  }

  /** Runs a durable write. A failed write is reported and the loop continues: the change is lost only with this process. */
  #book<T>(key: ResourceKey, write: () => T): T | null {
    try {
      return write();
    } catch (thrown) {
      this.#ports.onDefect(toTsdError(thrown), [key]);
      return null;
    }
  }

  #specHash(key: ResourceKey): string {
    return specHashIn(this.#ports.desired(), key);
  }

  #currentRelations(): Relations {
    const desired = this.#ports.desired();
    if (this.#relations?.of !== desired) this.#relations = { of: desired, relations: relationsOf(desired) };
    return this.#relations.relations;
  }
}
