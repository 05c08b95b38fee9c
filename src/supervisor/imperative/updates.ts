/** Changes of containers that clients of the Docker API made. */
import { specHash } from '../../manifest/spec-hash.ts';
import type { DesiredState } from '../../model/desired.ts';
import { clientName, type ImperativeRequest } from '../../model/imperative/request.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
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
  readonly containers: Pick<ContainerStore, 'byKey'>;
  readonly timeline: Pick<Timeline, 'override'>;
}

export interface ChangedDeclaration {
  readonly spec: ContainerSpec;
  /** As it is kept: with what was asked for now. */
  readonly request: ImperativeRequest;
  /** How the client calls itself. */
  readonly by: string;
}

export class ImperativeUpdates {
  readonly #ports: ImperativeUpdatePorts;

  constructor(ports: ImperativeUpdatePorts) {
    this.#ports = ports;
  }

  /** Returns when a container is as its changed declaration says. @throws TsdError; then it is declared as before */
  async change(record: ContainerRecord, { spec, request, by }: ChangedDeclaration): Promise<void> {
    const { imperative: resources, containers, loop, timeline } = this.#ports;
    requireImperative(this.#ports, record);
    const key = record.owner?.key;
    const before = key === undefined ? undefined : resources.get(key);
    const hash = specHash('container', spec);
    // It is being removed, or is like that already.
    if (key === undefined || before === undefined || before.specHash === hash) return;
    timeline.override(key, 'update', `asked for by ${clientName(by)}`, record);
    const { references } = before;
    await carryOut(this.#ports, {
      keys: [key],
      make: () => resources.change([imperative('container', { key, spec, specHash: hash, request, references })]),
      isDone: () => containers.byKey(key)?.owner?.specHash === hash && loop.inFlight(key) === undefined,
      takeBack: () => {
        if (resources.get(key) !== undefined) resources.change([before]);
      },
    });
  }
}
