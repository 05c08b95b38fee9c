/** Namespaces of other containers that a run is started in. */
import type { SharedNamespace, SharedNamespaces } from '../../contract/exec.ts';
import { type ContainerEntry, openContainer } from './program/container-entry.ts';
import type { Runs } from './runs.ts';

/** Containers that are open to be joined; null where the run does not share with one. */
export interface JoinedNamespaces {
  readonly pid: ContainerEntry | null;
  readonly ipc: ContainerEntry | null;
  /** Closes both. */
  close(): void;
}

export const JOINS_NOTHING: JoinedNamespaces = { pid: null, ipc: null, close: () => {} };

/** @throws TSD_CONTAINER_NOT_RUNNING, and TSD_CONTAINER_SETUP for one whose first process is elsewhere. */
export function openJoined(shared: SharedNamespaces, runs: Pick<Runs, 'need'>): JoinedNamespaces {
  const opened: ContainerEntry[] = [];
  const close = (): void => {
    for (const entry of opened.splice(0)) entry.close();
  };
  const open = (namespace: SharedNamespace | undefined): ContainerEntry | null => {
    if (namespace === undefined || namespace === 'host') return null;
    const entry = openContainer(runs.need(namespace.containerId).handle);
    opened.push(entry);
    return entry;
  };
  try {
    return { pid: open(shared.pid), ipc: open(shared.ipc), close };
  } catch (error) {
    close();
    throw error;
  }
}
