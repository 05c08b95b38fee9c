/** Networks that clients of the Docker API make and remove. */
import { specHash } from '../../manifest/spec-hash.ts';
import type { Desired, DesiredState } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { clientName, type ImperativeRequest } from '../../model/imperative/request.ts';
import { formatPosition, IMPERATIVE_APP, type ResourceKey, resourceKey } from '../../model/resource.ts';
import type { NetworkRecord } from '../../state/history/network-record.ts';
import type { ResourceStore } from '../../state/history/resource-store.ts';
import type { Timeline } from '../timeline.ts';
import { type ChangePorts, carryOut } from './desired-changes.ts';
import type { ImperativeResources } from './imperative-resources.ts';
import { imperative } from './restored.ts';

export interface ImperativeNetworkPorts extends ChangePorts {
  readonly imperative: ImperativeResources;
  desired(): DesiredState;
  readonly resources: Pick<ResourceStore, 'networks'>;
  readonly timeline: Pick<Timeline, 'override'>;
}

export interface NewNetwork {
  readonly name: string;
  readonly spec: Desired<'network'>['spec'];
  readonly request: ImperativeRequest;
}

export class ImperativeNetworks {
  readonly #ports: ImperativeNetworkPorts;

  constructor(ports: ImperativeNetworkPorts) {
    this.#ports = ports;
  }

  /** @throws TsdError; class conflict for a taken name */
  async create({ name, spec, request }: NewNetwork): Promise<NetworkRecord> {
    const { imperative: resources, desired, timeline } = this.#ports;
    for (const { kind, engineName } of desired().resources.values())
      if (kind === 'network' && engineName === name)
        throw new TsdError('TSD_BAD_REQUEST', `network with name ${name} already exists`, {
          class: 'conflict',
          hint: '',
        });
    const key = resourceKey('network', IMPERATIVE_APP, name);
    timeline.override(key, 'create', `asked for by ${clientName(request.client)}`);
    const declared = imperative('network', { key, spec, specHash: specHash('network', spec), request });
    const { loop } = this.#ports;
    await carryOut(this.#ports, {
      keys: [key],
      make: () => resources.change([declared]),
      // What is remembered of it comes before the network itself.
      isDone: () => this.#record(key) !== undefined && loop.inFlight(key) === undefined,
      takeBack: () => resources.change([], [key]),
    });
    const record = this.#record(key);
    if (record) return record;
    throw new TsdError('TSD_BUG', `${key} was made and is gone`, { key });
  }

  /** @throws TsdError class conflict for a network of a manifest, and for one that containers use */
  async remove(key: ResourceKey, by: string): Promise<void> {
    const { imperative: resources, desired, loop, timeline } = this.#ports;
    const declared = resources.get(key);
    if (declared === undefined) throw ofManifest(desired().resources.get(key)?.source, key);
    timeline.override(key, 'remove', `asked for by ${clientName(by)}`);
    await carryOut(this.#ports, {
      keys: [key],
      make: () => resources.change([], [key]),
      isDone: () => this.#record(key) === undefined && loop.inFlight(key) === undefined,
      takeBack: () => {
        if (resources.get(key) === undefined) resources.change([declared]);
      },
    });
  }

  /** Containers that are declared to be on a network. */
  usersOf(key: ResourceKey): readonly Desired[] {
    return [...this.#ports.desired().resources.values()].filter(({ references }) => references.networks.includes(key));
  }

  #record(key: ResourceKey): NetworkRecord | undefined {
    return this.#ports.resources.networks().find((record) => record.key === key);
  }
}

function ofManifest(place: Desired['source'] | undefined, key: ResourceKey): TsdError {
  const of = place ? `is declared at ${formatPosition(place)}` : 'was not made through the Docker API';
  return new TsdError('TSD_OWNED_BY_MANIFEST', `${key} ${of}`, {
    class: 'conflict',
    key,
    ...(place && { source: place }),
    hint: 'Change it there: what a manifest declares is not changed through the Docker API.',
  });
}
