/** What the loop remembers of a key between passes: why it waits, the defect that parked it, what failed of it. */
import type { Clock } from '../../model/clock.ts';
import { describeError, type TsdError, toTsdError } from '../../model/errors/errors.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { baseKey, nextKey, oldKey } from '../../model/update.ts';
import type { Hold, Plan } from '../op.ts';
import type { EndedOps } from './ops-in-flight.ts';
import type { OpFailures } from './retry-tracker.ts';
import { RetryTracker } from './retry-tracker.ts';

export interface KeyMemoryPorts {
  readonly failures: OpFailures;
  readonly clock: Clock;
  /** Returns the spec hash of a key as it is declared now. */
  specHash(key: ResourceKey): string;
  /** Called for a write that failed. */
  onDefect(error: TsdError, keys: readonly ResourceKey[]): void;
}

/** How long a key with a defect is parked: the longest back-off of a failed op. */
const PARKED_MS = 600_000;

/** Errors of cancelled ops: they are not failures. */
const GIVEN_UP: ReadonlySet<string> = new Set(['TSD_ENGINE_SHUTDOWN', 'TSD_CALLED_OFF']);

export class KeyMemory {
  readonly #ports: KeyMemoryPorts;
  readonly #retries: RetryTracker;
  readonly #holds = new Map<ResourceKey, Hold>();
  /** Keys whose planning failed by a defect, with the spec hash and the end of the parking time. */
  readonly #parked = new Map<ResourceKey, { readonly specHash: string; readonly untilBootMs: number }>();

  constructor(ports: KeyMemoryPorts) {
    this.#ports = ports;
    this.#retries = new RetryTracker(ports.failures);
  }

  /** Returns why the latest pass left the key unchanged, or undefined. */
  hold(key: ResourceKey): Hold | undefined {
    return this.#holds.get(key);
  }

  holds(): Iterable<Hold> {
    return this.#holds.values();
  }

  parked(): Iterable<ResourceKey> {
    return this.#parked.keys();
  }

  /** Leaves a key out of passes until its spec changes or the parking time is over. Returns its hold. */
  park(key: ResourceKey, error: TsdError): Hold {
    const untilBootMs = this.#ports.clock.now().bootMs + PARKED_MS;
    this.#parked.set(key, { specHash: this.#ports.specHash(key), untilBootMs });
    const message = `defect in tsdocker: ${describeError(error)}`;
    const hold: Hold = { key, reason: 'failed', message, untilBootMs };
    this.#holds.set(key, hold);
    return hold;
  }

  /** Releases parked keys whose spec has changed or whose time is over. */
  unpark(): void {
    const { bootMs } = this.#ports.clock.now();
    for (const [key, { specHash, untilBootMs }] of this.#parked) {
      if (specHash === this.#ports.specHash(key) && bootMs < untilBootMs) continue;
      this.#parked.delete(key);
      this.#holds.delete(key);
    }
  }

  /**
   * Takes over the holds of a plan, and forgets failures of keys with nothing left to do.
   * @param scope the keys of the pass; null for all
   * @param acted keys with ops in the plan
   * @param busy keys that the plan left out
   */
  planned(
    made: Plan,
    scope: ReadonlySet<ResourceKey> | null,
    acted: Pick<ReadonlySet<ResourceKey>, 'has'>,
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
    for (const key of made.forgiven) this.#book(key, () => this.#retries.forgive(key));
  }

  /**
   * Records the outcome of a key's ops. Returns the time of the retry on the boot clock, or null when there is none.
   * @param cancelled true when the loop ends: an error is no failure then
   */
  ended(
    { key, ops, error, failed, triedHash, complete, unwanted }: EndedOps,
    { cancelled }: { readonly cancelled: boolean },
  ): number | null {
    const now = this.#ports.clock.now();
    if (error === null) {
      if (complete) this.#book(key, () => this.#retries.succeeded(key, ops, triedHash, now));
      return null;
    }
    if (unwanted || GIVEN_UP.has(error.code) || cancelled) return null;
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
}
