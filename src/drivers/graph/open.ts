import type { GraphDriver } from '../contract/graph.ts';
import { selectGraphDriver, workingDriver } from './select.ts';
import { type StorageOptions, storageOptions } from './storage-options.ts';

export interface GraphDriverEntry {
  /** Names of its options of --storage-opt. */
  readonly options: readonly string[];
  /** Touches nothing below `root` but what a predecessor left unfinished. @throws TSD_FLAG for values of options. */
  readonly create: (root: string, options: StorageOptions) => GraphDriver;
}

interface GraphDriverRequest {
  readonly drivers: Readonly<Record<string, GraphDriverEntry>>;
  readonly root: string;
  readonly requested: string | null;
  /** `key=value` each. */
  readonly options: readonly string[];
  readonly graphIds: ReadonlySet<string>;
}

/**
 * The graph driver of a root directory with its options. @throws TSD_FLAG for an option that it does not have or a value
 * that makes no sense, and what {@link selectGraphDriver} throws.
 */
export function openGraphDriver({ drivers, root, requested, options, graphIds }: GraphDriverRequest): GraphDriver {
  const names = Object.keys(drivers);
  const known = Object.fromEntries(names.map((name) => [name, drivers[name]?.options ?? []]));
  const candidates = Object.entries(drivers).map(([name, { create }]) => {
    // Options may make a driver work, so the one that they are for is judged with them.
    const given = name === requested ? storageOptions(name, options, known) : [];
    const driver = create(root, given);
    return { name, driver, fingerprint: () => driver.fingerprint(), holds: (id: string) => driver.exists(id) };
  });
  const chosen = selectGraphDriver({ requested, candidates, graphIds });
  if (chosen.name === requested || options.length === 0) return chosen.driver;
  const driver = drivers[chosen.name]?.create(root, storageOptions(chosen.name, options, known)) ?? chosen.driver;
  return workingDriver({ ...chosen, driver, fingerprint: () => driver.fingerprint() }, 'has these options').driver;
}
