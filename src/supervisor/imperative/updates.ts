/** Changes of containers that clients of the Docker API made. */
import { specHash } from '../../manifest/spec-hash.ts';
import type { Desired, DesiredState } from '../../model/desired.ts';
import { clientName, type ImperativeRequest } from '../../model/imperative/request.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { KeyedMutex } from '../../reconcile/ops/keyed-mutex.ts';
import type { LeaseBook } from '../../reconcile/ops/networks/lease-book.ts';
import { observedReferences } from '../../reconcile/plan/references.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { Timeline } from '../timeline.ts';
import { requireImperative } from './containers.ts';
import { type ChangePorts, carryOut } from './desired-changes.ts';
import type { ImperativeResources } from './imperative-resources.ts';
import { imperative } from './restored.ts';

export interface ImperativeUpdatePorts extends ChangePorts {
  readonly imperative: ImperativeResources;
  desired(): DesiredState;
  readonly containers: Pick<ContainerStore, 'get' | 'byKey' | 'change'>;
  readonly leases: Pick<LeaseBook, 'save'>;
  readonly timeline: Pick<Timeline, 'override'>;
}

export interface Declaration {
  readonly spec: ContainerSpec;
  /** As it is kept: with what was asked for now. */
  readonly request: ImperativeRequest;
}

export interface AskedChange {
  /** As the timeline has it. */
  readonly what: 'update' | 'connect' | 'disconnect';
  /** How the client calls itself. */
  readonly by: string;
  /** Returns null where nothing is to change. What it throws ends the change before it begins. */
  readonly declare: (before: Declaration, record: ContainerRecord) => Declaration | null;
}

export class ImperativeUpdates {
  readonly #ports: ImperativeUpdatePorts;
  /** Each change is made of what the one before it has left. */
  readonly #mutex = new KeyedMutex();

  constructor(ports: ImperativeUpdatePorts) {
    this.#ports = ports;
  }

  /**
   * Returns when a container is as its changed declaration says, and false for one that is gone by then.
   * @throws TsdError; then it is declared as before
   */
  async change({ id }: Pick<ContainerRecord, 'id'>, asked: AskedChange): Promise<boolean> {
    return this.#mutex.runExclusive(id, async () => {
      const record = this.#ports.containers.get(id);
      return record !== undefined && this.#change(record, asked);
    });
  }

  async #change(record: ContainerRecord, { what, by, declare }: AskedChange): Promise<boolean> {
    const { imperative: resources, containers, loop, timeline } = this.#ports;
    requireImperative(this.#ports, record);
    const key = record.owner?.key;
    const before = key === undefined ? undefined : (resources.get(key) as Desired<'container'> | undefined);
    // It is being removed.
    if (key === undefined || before?.request === undefined) return false;
    const declared = declare({ spec: before.spec, request: before.request }, record);
    if (declared === null) return true;
    const { spec, request } = declared;
    const hash = specHash('container', spec, before.contentHashes);
    const references = observedReferences({ key, engineName: before.engineName, spec });
    const { contentHashes, files } = before;
    const changed: Desired<'container'> = {
      ...imperative('container', { key, spec, specHash: hash, request, references }),
      contentHashes,
      ...(files && { files }),
    };
    timeline.override(key, what, `asked for by ${clientName(by)}`, record);
    if (before.specHash === hash) return this.#remember(record, changed);
    await carryOut(this.#ports, {
      keys: [key],
      make: () => resources.change([changed]),
      isDone: () => containers.byKey(key)?.owner?.specHash === hash && loop.inFlight(key) === undefined,
      takeBack: () => {
        if (resources.get(key) !== undefined) resources.change([before]);
      },
    });
    return true;
  }

  /** What was asked for in other words means the same: only the words are kept. */
  async #remember({ id }: ContainerRecord, desired: Desired<'container'>): Promise<boolean> {
    const { imperative: resources, containers, leases } = this.#ports;
    const { request } = desired;
    const withWords = (current: ContainerRecord): ContainerRecord =>
      current.owner && request ? { ...current, owner: { ...current.owner, request } } : current;
    await leases.save({ files: (batch) => containers.change(id, withWords, batch) });
    if (resources.get(desired.key) !== undefined) resources.change([desired]);
    return true;
  }
}
