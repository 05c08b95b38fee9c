import type { ErrorClass } from '../model/errors/error-class.ts';
import type { OpFailure } from '../model/observed.ts';
import type { ResourceKey } from '../model/resource.ts';
import type { FailureStore } from '../state/history/failure-store.ts';
import type { OpFailures } from './loop/retry-tracker.ts';

/** Failures of ops in memory, written through to history.db so that they survive the supervisor. */
export class OpFailureCache implements OpFailures {
  readonly #store: FailureStore;
  readonly #bootId: string;
  readonly #failures = new Map<ResourceKey, OpFailure>();

  constructor(store: FailureStore, bootId: string) {
    this.#store = store;
    this.#bootId = bootId;
    for (const { key, op, hint, retryAtBootMs, bootId: recordedIn, ...rest } of store.all()) {
      // A delay of an earlier boot is over.
      const over = retryAtBootMs !== null && recordedIn !== bootId;
      this.#failures.set(key, {
        ...(op !== null && { op }),
        ...(hint !== null && { hint }),
        ...rest,
        retryAtBootMs: over ? 0 : retryAtBootMs,
      });
    }
  }

  all(): ReadonlyMap<ResourceKey, OpFailure> {
    return this.#failures;
  }

  keys(): Iterable<ResourceKey> {
    return this.#failures.keys();
  }

  get(key: ResourceKey): OpFailure | undefined {
    return this.#failures.get(key);
  }

  record(key: ResourceKey, failure: OpFailure): void {
    this.#failures.set(key, failure);
    this.#store.set({
      op: null,
      hint: null,
      ...failure,
      key,
      class: failure.class as ErrorClass,
      bootId: this.#bootId,
    });
  }

  clear(key: ResourceKey): void {
    if (this.#failures.delete(key)) this.#store.clear(key);
  }
}
