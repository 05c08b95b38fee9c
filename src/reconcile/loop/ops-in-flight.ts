/** Which ops have been handed over to be carried out and have not ended, by key, and what has come of them so far. */
import type { DesiredState } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { baseKey, isNext } from '../../model/update.ts';
import type { OpResult } from '../executor.ts';
import type { Op } from '../op.ts';
import { OP_TRAITS } from '../op-traits.ts';
import { REMOVED } from '../plan/order/pass.ts';

/** The spec that ops of a key are carried out for; a successor's is its container's. */
export function specHashIn({ resources }: DesiredState, key: ResourceKey): string {
  return resources.get(isNext(key) ? baseKey(key) : key)?.specHash ?? REMOVED;
}

/** What came of the ops of a key, all of which have ended. */
export interface EndedOps {
  readonly key: ResourceKey;
  readonly ops: readonly Op[];
  /** The spec that a failure counts for. */
  readonly triedHash: string;
  /** The first one. */
  readonly error: TsdError | null;
  /** The op that it is of. */
  readonly failed: Op | null;
  /** All were carried out, and the last one with success. */
  readonly complete: boolean;
  /** At least one op was carried out. */
  readonly acted: boolean;
  /** Something happened to the key meanwhile. */
  readonly stirred: boolean;
  /** They were cancelled, their declaration being another one. */
  readonly unwanted: boolean;
}

interface InFlight {
  readonly ops: readonly Op[];
  readonly specHash: string;
  readonly triedHash: string;
  /** Of ops that an edit aborts: aborted when their declaration is another one. */
  readonly abort: AbortController | null;
  left: number;
  current: Op | undefined;
  error: TsdError | null;
  failed: Op | null;
  skipped: boolean;
  acted: boolean;
  stirred: boolean;
}

export class OpsInFlight {
  readonly #byKey = new Map<ResourceKey, InFlight>();

  get size(): number {
    return this.#byKey.size;
  }

  keys(): IterableIterator<ResourceKey> {
    return this.#byKey.keys();
  }

  /** @param ops of one key, in their order */
  begin(key: ResourceKey, ops: readonly Op[], desired: DesiredState): void {
    const specHash = specHashIn(desired, key);
    const asMade = ops.map((op) => ('asMade' in op ? op.asMade : undefined)).find((hash) => hash !== undefined);
    this.#byKey.set(key, {
      ops,
      specHash,
      triedHash: asMade ?? specHash,
      abort: ops.some(({ op }) => OP_TRAITS[op].abortedByEdit) ? new AbortController() : null,
      left: ops.length,
      current: undefined,
      error: null,
      failed: null,
      skipped: false,
      acted: false,
      stirred: false,
    });
  }

  /** Something happened to a key: it is to be looked at when its ops have ended. Returns false when it has none. */
  stir(key: ResourceKey): boolean {
    const state = this.#byKey.get(key);
    if (state) state.stirred = true;
    return state !== undefined;
  }

  /** The op on a key that is being carried out, or the next one of those that have begun on it. */
  next(key: ResourceKey): Op | undefined {
    const state = this.#byKey.get(key);
    if (!state || state.current) return state?.current;
    return state.left < state.ops.length ? state.ops[state.ops.length - state.left] : undefined;
  }

  /** Whether the ops of a key are for what is declared of it now. */
  isFor(key: ResourceKey, desired: DesiredState): boolean {
    return this.#byKey.get(key)?.specHash === specHashIn(desired, key);
  }

  cancelUnwanted(desired: DesiredState): void {
    for (const [key, { abort }] of this.#byKey) {
      if (abort === null || this.isFor(key, desired)) continue;
      abort.abort(new TsdError('TSD_CALLED_OFF', 'its declaration changed meanwhile', { key }));
    }
  }

  /** Aborted when the ops of a key are not wanted any more; null for ops that end soon anyway. */
  signalOf(key: ResourceKey): AbortSignal | null {
    return this.#byKey.get(key)?.abort?.signal ?? null;
  }

  started(op: Op): void {
    const state = this.#byKey.get(op.key);
    if (state) state.current = op;
  }

  /** Returns what came of all ops of the key, once it was the last one. */
  ended({ op, status, error, skipped }: OpResult): EndedOps | null {
    const { key } = op;
    const state = this.#byKey.get(key);
    if (!state) return null;
    state.current = undefined;
    if (error !== null) state.failed ??= op;
    state.error ??= error;
    state.skipped ||= skipped !== null;
    state.acted ||= status !== 'skipped';
    state.left--;
    if (state.left > 0) return null;
    this.#byKey.delete(key);
    const { ops, triedHash, failed, acted, stirred } = state;
    const complete = status === 'done' && !state.skipped;
    const unwanted = state.abort?.signal.aborted === true;
    return { key, ops, triedHash, error: state.error, failed, complete, acted, stirred, unwanted };
  }
}
