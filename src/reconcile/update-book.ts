import type { Clock } from '../model/clock.ts';
import type { ResourceKey } from '../model/resource.ts';
import { type ObservedUpdate, sameVersion, type UpdateTerms } from '../model/update.ts';
import type { UpdateRecord, UpdateStore } from '../state/history/update-store.ts';

/** Updates in progress or failed: in memory, written through to history.db before anything is changed. */
export class UpdateBook {
  readonly #store: UpdateStore;
  readonly #clock: Clock;
  readonly #bootId: string;
  readonly #openedAtBootMs: number;
  readonly #records = new Map<ResourceKey, UpdateRecord>();

  constructor(store: UpdateStore, clock: Clock, bootId: string) {
    this.#store = store;
    this.#clock = clock;
    this.#bootId = bootId;
    this.#openedAtBootMs = clock.now().bootMs;
    for (const record of store.all()) this.#records.set(record.key, record);
  }

  all(): ReadonlyMap<ResourceKey, ObservedUpdate> {
    const observed = [...this.#records].map(([key, record]) => [key, this.#observed(record)] as const);
    return new Map(observed);
  }

  /** Records that an update begins, or continues with these terms; a continued one keeps its start time. */
  begin(terms: UpdateTerms): void {
    const before = this.#records.get(terms.key);
    const goesOn = before?.failure === null && before.order === terms.order && sameVersion(before.to, terms.to);
    if (goesOn) return;
    const startedAtBootMs = this.#clock.now().bootMs;
    this.#write({
      ...terms,
      bootId: this.#bootId,
      startedAtBootMs,
      cutOverAtBootMs: null,
      failure: null,
      final: false,
    });
  }

  /** Name and ports have moved to the successor, or back with a failure. */
  cutOver(key: ResourceKey, failure: string | null): void {
    const record = this.#records.get(key);
    if (!record) return;
    const cutOverAtBootMs = failure === null ? this.#clock.now().bootMs : null;
    this.#write({ ...record, bootId: this.#bootId, cutOverAtBootMs, failure });
  }

  /** @param hint what to do about the op that failed, where one did */
  fail(key: ResourceKey, failure: string, final: boolean, hint?: string): void {
    const record = this.#records.get(key);
    if (!record) return;
    const failed = { ...record, failure, final, ...(hint !== undefined && { hint }) };
    // In memory even where it cannot be written down: the next look has to see it.
    this.#records.set(key, failed);
    this.#write(failed);
  }

  /** It is over. */
  forget(key: ResourceKey): void {
    if (!this.#records.has(key)) return;
    this.#store.clear(key);
    this.#records.delete(key);
  }

  #write(record: UpdateRecord): void {
    this.#store.set(record);
    this.#records.set(record.key, record);
  }

  #observed({ bootId, startedAtBootMs, cutOverAtBootMs, ...rest }: UpdateRecord): ObservedUpdate {
    const same = bootId === this.#bootId;
    return {
      ...rest,
      startedAtBootMs: same ? startedAtBootMs : 0,
      timeFromBootMs: Math.max(this.#openedAtBootMs, same ? startedAtBootMs : 0),
      cutOverAtBootMs: cutOverAtBootMs === null || same ? cutOverAtBootMs : 0,
    };
  }
}
