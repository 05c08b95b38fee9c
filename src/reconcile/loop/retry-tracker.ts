import type { Instant } from '../../model/clock.ts';
import type { ErrorClass } from '../../model/errors/error-class.ts';
import type { OpFailure } from '../../model/observed.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { Op, OpType } from '../op.ts';
import { OP_TRAITS } from '../op-traits.ts';
import { retryDelay } from '../plan/backoff.ts';

/**
 * The failures of ops, one per key; they survive the supervisor, and `observe` reports them. `record` and `clear` throw when
 * the change cannot be stored; it is in effect in memory nevertheless.
 */
export interface OpFailures {
  get(key: ResourceKey): OpFailure | undefined;
  record(key: ResourceKey, failure: OpFailure): void;
  clear(key: ResourceKey): void;
  keys(): Iterable<ResourceKey>;
}

/** Identifies a list of ops. Equal signatures in a row mean that the same work is repeated without effect. */
function signatureOf(ops: readonly Op[]): string {
  return ops
    .map((op) => ('run' in op ? `${op.id} ${op.run}` : 'containerId' in op ? `${op.id} ${op.containerId}` : op.id))
    .join('\n');
}

/** Records the failures of ops with the time of the next retry, and clears them when the ops succeed. */
export class RetryTracker {
  readonly #failures: OpFailures;
  /** The last successful work of each key, until a look finds nothing left to do. */
  readonly #done = new Map<ResourceKey, { readonly signature: string; readonly times: number }>();

  constructor(failures: OpFailures) {
    this.#failures = failures;
  }

  /** Records a failed op of the key. Returns the time of the retry on the boot clock, or null when only a change retries it. */
  failed(
    key: ResourceKey,
    error: { op?: OpType; class: ErrorClass; message: string; hint?: string },
    specHash: string,
    now: Instant,
  ): number | null {
    const earlier = this.#failures.get(key);
    const attempts = (earlier?.specHash === specHash ? earlier.attempts : 0) + 1;
    const delay = retryDelay(error.class, attempts, key);
    const retryAtBootMs = delay === null ? null : now.bootMs + delay;
    this.#failures.record(key, { ...error, specHash, attempts, retryAtBootMs });
    this.#done.delete(key);
    return retryAtBootMs;
  }

  /**
   * Records that all planned ops of the key succeeded. The same work twice in a row had no effect: it is recorded as a
   * failure, so that back-off ends the loop.
   */
  succeeded(key: ResourceKey, ops: readonly Op[], specHash: string, now: Instant): void {
    const signature = signatureOf(ops);
    const before = this.#done.get(key);
    const times = before?.signature === signature ? before.times + 1 : 1;
    if (times > 1) {
      const message = `${signature.replaceAll('\n', ', ')}: no effect`;
      this.failed(key, { class: 'unavailable', message }, specHash, now);
    } else if (ops.every(({ op }) => OP_TRAITS[op].clearsFailures)) {
      this.#failures.clear(key);
    }
    this.#done.set(key, { signature, times });
  }

  /** Clears the failure of the key: the ops planned now are not those that failed. */
  forgive(key: ResourceKey): void {
    if (this.#failures.get(key)) this.#failures.clear(key);
  }

  /** Returns all keys with a failure or with finished work. */
  keys(): ReadonlySet<ResourceKey> {
    return new Set([...this.#done.keys(), ...this.#failures.keys()]);
  }

  /** Reports whether {@link quiet} would change anything. */
  concerns(key: ResourceKey): boolean {
    return this.#done.has(key) || this.#failures.get(key) !== undefined;
  }

  /** Clears everything recorded of the key: a look found nothing to do. */
  quiet(key: ResourceKey): void {
    this.#done.delete(key);
    this.forgive(key);
  }
}
