import { setMaxListeners } from 'node:events';
import type { Clock, Timers } from '../model/clock.ts';
import type { DesiredState } from '../model/desired.ts';
import { describeError, TsdError, toTsdError } from '../model/errors.ts';
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

/** One look at some keys, with what came of it. */
export interface PassReport {
  readonly pass: number;
  /** Null for everything. */
  readonly scope: Scope;
  readonly plan: Plan;
  /** How long looking and planning took; the ops do not count. */
  readonly ms: number;
  readonly results: readonly OpResult[];
}

export interface ControllerPorts {
  /** The present generation; the same object until there is another one. */
  desired(): DesiredState;
  /** What is now, of at least these keys (null: everything) and of what uses those of them that are to be removed. */
  observe(scope: Scope): ObservedState | Promise<ObservedState>;
  readonly executor: Executor;
  /** What an op that is about to begin still waits for, where the plan could not know; it is planned again then. */
  tooEarly?(op: Op): string | null;
  readonly failures: OpFailures;
  readonly clock: Clock;
  readonly timers: Timers;
  /** Random and the same for the life of the process. */
  seed(): string;
  /** Called at the end of every pass, whatever came of it. */
  onPass(report: PassReport): void;
  /** A key will be looked at again; null for everything. */
  onRequeue?(requeue: Requeue, nowBootMs: number): void;
  /** A pass or a key could not be planned: a defect of ours. */
  onDefect(error: TsdError, keys: readonly ResourceKey[]): void;
  /** How often everything is looked at without being asked. */
  readonly resyncMs: number;
}

/** A key with a defect is tried again as rarely as the rarest of what fails: what it met may have gone. */
const PARKED_MS = 600_000;

/** Ops that were not to be any more have not failed. */
const GIVEN_UP: ReadonlySet<string> = new Set(['TSD_ENGINE_SHUTDOWN', 'TSD_CALLED_OFF']);

/**
 * The level-triggered loop: takes keys, looks at them and at what belongs to them, plans, and has the plan carried out
 * without waiting for it. Keys with ops in flight are left alone and looked at again when these have ended.
 */
export class Controller {
  readonly #ports: ControllerPorts;
  readonly #seed: string;
  readonly #queue: WorkQueue;
  readonly #retries: RetryTracker;
  readonly #inFlight = new OpsInFlight();
  readonly #holds = new Map<ResourceKey, Hold>();
  /** Keys that cannot be planned because of a defect, with the spec that cannot and until when. */
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
  /** Looks in a row that failed. */
  #blindLooks = 0;

  constructor(ports: ControllerPorts) {
    this.#ports = ports;
    this.#seed = ports.seed();
    // Every teardown in flight listens.
    setMaxListeners(0, this.#calledOff.signal);
    this.#retries = new RetryTracker(ports.failures);
    this.#queue = new WorkQueue({ clock: ports.clock, timers: ports.timers, onDue: () => this.#pump() });
  }

  /**
   * Looks at everything, and again every `resyncMs`. Before, nothing is looked at, whatever is enqueued: what an earlier
   * supervisor left may not be known yet.
   */
  start(): void {
    this.#started = true;
    this.#scheduleResync();
    this.resync();
  }

  /** Looks at these keys soon; what happened to them does not matter. */
  enqueue(keys: Iterable<ResourceKey>): void {
    if (this.#stopped) return;
    for (const key of keys) {
      // A successor is planned with its container.
      const owner = baseKey(key);
      if (!this.#inFlight.stir(key) && !this.#inFlight.stir(owner)) this.#queue.add(owner);
    }
  }

  /** Looks at everything soon. */
  resync(): void {
    if (this.#stopped) return;
    this.#everything = true;
    this.#pump();
  }

  /** Why a key stays as it is, as of its latest pass. */
  hold(key: ResourceKey): Hold | undefined {
    return this.#holds.get(key);
  }

  /** The op on a key that is being carried out, or the next one of those that have begun on it. */
  inFlight(key: ResourceKey): Op | undefined {
    return this.#inFlight.next(key);
  }

  /** True while ops on anything of these apps have not ended. */
  isWorkingOn(apps: ReadonlySet<string>): boolean {
    return [...this.#inFlight.keys()].some((key) => apps.has(parseKey(key).app));
  }

  /** Keys with ops that have not ended. */
  get busy(): ReadonlySet<ResourceKey> {
    return new Set([...this.#inFlight.keys(), ...this.#parked.keys()]);
  }

  /** Keys that wait to be looked at, due or not. */
  get queued(): number {
    return this.#queue.size;
  }

  /** Keys with ops that have not ended. */
  get working(): number {
    return this.#inFlight.size;
  }

  /** Resolves when no key is due and no op in flight. Keys that wait for a time do not count. */
  settled(): Promise<void> {
    if (this.#isSettled()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** Begins no pass any more, calls off what has not started, and resolves when all ops in flight have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancelResync();
    this.#queue.clear();
    const hint = 'The next supervisor goes on with it.';
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
    // Keys that are enqueued one after the other belong to one pass.
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

  /** One pass over these keys; where it meets a defect, smaller ones, until the key with the defect stands alone. */
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

  /** Has keys looked at again, as {@link requeues} decides; nothing once the loop has stopped. */
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

  /** A pass without those that need the keys, since the defect may be theirs. */
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

  /** A parked key is tried again when its spec is another one, or its time is over. */
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
    // Taken before the look: an op that ends during it may not be part of what was seen.
    const busy = this.busy;
    const startedAt = ports.clock.now().bootMs;
    const looked = ports.observe(scope);
    // Without a pause where there is none: the plan is then of the very moment of the look.
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
    // Of all the others nothing is remembered that this look could have made untrue. Whether a successor's failure is of the
    // past its container tells.
    const remembered = scope === null ? [...this.#holds.keys(), ...[...this.#retries.keys()].map(baseKey)] : [];
    for (const key of scope ?? new Set(remembered)) {
      if (this.#parked.has(key)) continue;
      const isQuiet = (one: ResourceKey) => !acted.has(one) && !busy.has(one) && !held.has(one);
      // The next one beside a container is another one. What holds a successor back is told of its container.
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

  /** Records what came of the ops of a key. Returns when a failure is to be tried again; null where there is no such time. */
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

  /** What cannot be written down must not keep the loop from going on; it is forgotten with this supervisor only. */
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
