import type { Instant } from '../model/clock.ts';
import type { ErrorClass } from '../model/error-class.ts';
import type { OpFailure } from '../model/observed.ts';
import type { ResourceKey } from '../model/resource.ts';
import type { Op, OpType } from './op.ts';
import { OP_TRAITS } from './op-traits.ts';
import { retryDelay } from './plan/backoff.ts';

/**
 * Failures of ops by key; they survive the supervisor. `observe` reports what stands here. A change that could not be
 * written down is thrown after it was taken over.
 */
export interface FailureStore {
  get(key: ResourceKey): OpFailure | undefined;
  record(key: ResourceKey, failure: OpFailure): void;
  clear(key: ResourceKey): void;
  keys(): Iterable<ResourceKey>;
}

/** What a key's ops were, to notice the same work being done over and over. */
function signatureOf(ops: readonly Op[]): string {
  return ops
    .map((op) => ('run' in op ? `${op.id} ${op.run}` : 'containerId' in op ? `${op.id} ${op.containerId}` : op.id))
    .join('\n');
}

/** Turns the ends of ops into failures with a time to try again, and forgets them when the ops succeed. */
export class FailureLog {
  readonly #store: FailureStore;
  /** The work that was last done for a key without a failure, until nothing is left to do. */
  readonly #done = new Map<ResourceKey, { readonly signature: string; readonly times: number }>();

  constructor(store: FailureStore) {
    this.#store = store;
  }

  /** An op of the key failed under this spec. Returns when to try again, on the boot clock; null: not by itself. */
  failed(
    key: ResourceKey,
    error: { op?: OpType; class: ErrorClass; message: string; hint?: string },
    specHash: string,
    now: Instant,
  ): number | null {
    const earlier = this.#store.get(key);
    const attempts = (earlier?.specHash === specHash ? earlier.attempts : 0) + 1;
    const delay = retryDelay(error.class, attempts, key);
    const retryAtBootMs = delay === null ? null : now.bootMs + delay;
    this.#store.record(key, { ...error, specHash, attempts, retryAtBootMs });
    this.#done.delete(key);
    return retryAtBootMs;
  }

  /**
   * All planned ops of the key succeeded. The very same work once more, without a quiet look in between, had no effect:
   * that is a failure too, so that it is not done in a circle.
   */
  succeeded(key: ResourceKey, ops: readonly Op[], specHash: string, now: Instant): void {
    const signature = signatureOf(ops);
    const before = this.#done.get(key);
    const times = before?.signature === signature ? before.times + 1 : 1;
    if (times > 1) {
      const message = `${signature.replaceAll('\n', ', ')}: no effect`;
      this.failed(key, { class: 'unavailable', message }, specHash, now);
    } else if (ops.every(({ op }) => OP_TRAITS[op].clearsFailures)) {
      this.#store.clear(key);
    }
    this.#done.set(key, { signature, times });
  }

  /** What is tried now is something else than what failed. */
  forgive(key: ResourceKey): void {
    if (this.#store.get(key)) this.#store.clear(key);
  }

  /** All keys of which something is remembered. */
  keys(): ReadonlySet<ResourceKey> {
    return new Set([...this.#done.keys(), ...this.#store.keys()]);
  }

  /** Whether anything is remembered of the key that {@link quiet} would forget. */
  concerns(key: ResourceKey): boolean {
    return this.#done.has(key) || this.#store.get(key) !== undefined;
  }

  /** The key was looked at and nothing had to be done: whatever failed is of the past. */
  quiet(key: ResourceKey): void {
    this.#done.delete(key);
    this.forgive(key);
  }
}
