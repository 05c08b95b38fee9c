import type { HealthRecord } from '../../model/health.ts';
import type { HealthStore } from '../../state/history/health-store.ts';

/**
 * What is known of the probes of each container's run. Kept in memory; what a later supervisor has to know is written
 * through: failures and changes of mind, and not that all is well once more.
 */
export class HealthBook {
  readonly #store: Pick<HealthStore, 'all' | 'set' | 'delete'>;
  readonly #records = new Map<string, HealthRecord>();

  /** @param containerIds those that exist; what is kept of others is forgotten */
  constructor(store: Pick<HealthStore, 'all' | 'set' | 'delete'>, containerIds: ReadonlySet<string>) {
    this.#store = store;
    for (const { containerId, record } of store.all()) {
      if (containerIds.has(containerId)) this.#records.set(containerId, record);
      else store.delete(containerId);
    }
  }

  get(containerId: string): HealthRecord | undefined {
    return this.#records.get(containerId);
  }

  set(containerId: string, record: HealthRecord): void {
    const before = this.#records.get(containerId);
    this.#records.set(containerId, record);
    if (matters(before, record)) this.#store.set(containerId, record);
  }

  forget(containerId: string): void {
    if (this.#records.delete(containerId)) this.#store.delete(containerId);
  }
}

function matters(before: HealthRecord | undefined, after: HealthRecord): boolean {
  if (before?.run !== after.run || before.probes !== after.probes) return true;
  if (before.readySinceBootMs !== after.readySinceBootMs) return true;
  return after.results.at(-1)?.ok === false || before.results.at(-1)?.ok === false;
}
