/** Overrides: changes of containers of manifests through the Docker API, which an option of the daemon allows. */
import { type Clock, formatTime } from '../../model/clock.ts';
import type { Desired, DesiredState } from '../../model/desired.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { ContainerOverride } from '../../model/imperative/override.ts';
import { clientName } from '../../model/imperative/request.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { Timeline } from '../timeline.ts';
import { requireImperative } from './containers.ts';
import { type ChangePorts, carryOut } from './desired-changes.ts';
import type { ImperativeResources } from './imperative-resources.ts';

export interface OverridePorts extends ChangePorts {
  readonly imperative: ImperativeResources;
  desired(): DesiredState;
  readonly containers: Pick<ContainerStore, 'all' | 'get' | 'byKey'>;
  readonly timeline: Pick<Timeline, 'override'>;
  readonly clock: Clock;
  /** Whether clients may change what manifests declare. */
  readonly isAllowed: boolean;
}

export interface AskedOverride {
  readonly by: string;
  readonly uid: number | null;
  /** Returns the specification as it is to be. What it throws ends the change before it begins. */
  readonly change: (spec: ContainerSpec) => ContainerSpec;
}

const NOT_ALLOWED =
  'Change it there, or start the daemon with --api-override=allow, so that a client may until the manifest changes.';

export class Overrides {
  readonly #ports: OverridePorts;

  constructor(ports: OverridePorts) {
    this.#ports = ports;
  }

  /** Returns when the container is as it was asked to be. @throws TsdError; then it is as before */
  async make(record: ContainerRecord, { by, uid, change }: AskedOverride): Promise<void> {
    const { isAllowed, imperative, clock, timeline } = this.#ports;
    if (!isAllowed) requireImperative(this.#ports, record, NOT_ALLOWED);
    const desired = this.#declared(record);
    const before = imperative.override(desired.key);
    const of = desired.override?.of ?? desired.specHash;
    const { resources, restart } = change(desired.spec);
    const override = { of, resources, restart, client: by, uid, at: formatTime(clock.now().wallMs) };
    timeline.override(desired.key, 'update', `asked for by ${clientName(by)}`, record);
    await this.#put(desired.key, override, before);
  }

  /** Returns when the container is as its manifest says. @throws TsdError */
  async end(record: ContainerRecord, by: string): Promise<void> {
    const { key, override } = this.#declared(record);
    if (override === undefined) return;
    this.#ports.timeline.override(key, 'update', `as declared, asked for by ${clientName(by)}`, record);
    await this.#put(key, undefined, override);
  }

  /** A container that has taken over another declaration, or that is declared no more, has no override any more. */
  recordChanged(id: string): void {
    const { containers, imperative, desired } = this.#ports;
    const record = containers.get(id);
    if (record === undefined) imperative.dropOverrides((key) => !desired().resources.has(key));
    const owner = record?.owner;
    const override = owner && imperative.override(owner.key);
    if (owner && override && owner.override === undefined && owner.specHash !== override.of)
      imperative.setOverride(owner.key, undefined);
  }

  #declared({ owner, engineName }: ContainerRecord): Desired<'container'> {
    const desired = owner && this.#ports.desired().resources.get(owner.key);
    if (desired?.kind === 'container') return desired as Desired<'container'>;
    throw new TsdError('TSD_BAD_REQUEST', `container ${engineName} is declared by no manifest any more`, {
      class: 'conflict',
      hint: '',
    });
  }

  async #put(
    key: ResourceKey,
    to: ContainerOverride | undefined,
    before: ContainerOverride | undefined,
  ): Promise<void> {
    const { imperative, containers, desired, loop } = this.#ports;
    await carryOut(this.#ports, {
      keys: [key],
      make: () => imperative.setOverride(key, to),
      isDone: () =>
        containers.byKey(key)?.owner?.specHash === desired().resources.get(key)?.specHash &&
        loop.inFlight(key) === undefined,
      takeBack: () => imperative.setOverride(key, before),
    });
  }
}
