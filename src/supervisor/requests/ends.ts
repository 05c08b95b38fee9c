/** Collects ends of runs that no command asked for, for commands that wait for a container to settle. */
import type { TaskExit } from '../../drivers/contract/exec.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { ExitRecorder } from '../../reconcile/exits.ts';
import type { EndedRun } from '../../reconcile/plan/run-verdict.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { lastWords } from '../logs/last-words.ts';

export interface EndPorts {
  readonly exits: Pick<ExitRecorder, 'onExit'>;
  readonly containers: Pick<ContainerStore, 'get' | 'logPath'>;
  /** What a container looks like now. */
  observed(record: ContainerRecord): ObservedContainer;
}

/** As of the end: another run may have begun since. */
interface SeenEnd {
  readonly containerId: string;
  readonly specHash: string | undefined;
  readonly run: EndedRun;
}

/**
 * A container that ends is started again at once where its policy says so, and the run after that looks like any other:
 * what ends is noted as it happens.
 */
export class Ends {
  readonly #ports: EndPorts;
  readonly #concerns: (key: ResourceKey) => boolean;
  readonly #seen = new Map<ResourceKey, SeenEnd>();
  readonly #unsubscribe: () => void;

  constructor(ports: EndPorts, concerns: (key: ResourceKey) => boolean) {
    this.#ports = ports;
    this.#concerns = concerns;
    this.#unsubscribe = ports.exits.onExit((exit, key) => {
      if (key !== null && this.#concerns(key)) this.#note(exit, key);
    });
  }

  /** The last end of this very container under its present declaration. */
  of(key: ResourceKey, container: { readonly id: string; readonly specHash: string }): EndedRun | null {
    const seen = this.#seen.get(key);
    return seen?.containerId === container.id && seen.specHash === container.specHash ? seen.run : null;
  }

  close(): void {
    this.#unsubscribe();
  }

  #note(exit: TaskExit, key: ResourceKey): void {
    const record = this.#ports.containers.get(exit.containerId);
    if (!record) return;
    // What was asked to end, for a change or by a person, has shown nothing by that. Its end may come before it is noted
    // that the signal was sent.
    if (record.restart.requested || record.stopOverride !== null) return;
    const unhealthy = this.#foundUnhealthy(record);
    if (record.stopping?.run === exit.run && unhealthy === null) return;
    const { startedAtBootMs, finishedAtBootMs } = record.state;
    const run: EndedRun = {
      code: exit.exitCode,
      oomKilled: exit.oomKilled,
      ranForMs: Math.max(0, (finishedAtBootMs ?? 0) - (startedAtBootMs ?? finishedAtBootMs ?? 0)),
      log: lastWords(this.#ports.containers, record),
      unhealthy,
    };
    this.#seen.set(key, { containerId: record.id, specHash: record.owner?.specHash, run });
  }

  #foundUnhealthy(record: ContainerRecord): string | null {
    const { health } = this.#ports.observed(record);
    return health?.state === 'unhealthy' ? health.message : null;
  }
}
